"""Short and pet forms of given names: English ones from the `nicknames` package, others from here."""

from __future__ import annotations

from functools import lru_cache

from nicknames import NickNamer

# "formal name: forms people use", canonical spelling.
_OTHER_LANGUAGES = """
aleksandr: sasha sanya shura alex aleks
aleksandra: sasha shura ola alex
aleksei: alesha lyosha lesha
aleksey: alesha lyosha lesha alyosha
alessandro: sandro ale
alexander: alex sascha sasha xander sander
alexandra: alex sandra sascha sasha
anastasia: nastya nastia stasia asya
andreas: andi andy
angelika: geli angie
anna: anya ania asia anja anni annie nyura
antonio: toni tonio antonello nino
barbara: basia barbel baerbel babsi
boris: borya
bartholomaeus: bartl
caterina: rina cate
christian: chris
christina: tina chris
concepcion: concha conchita
dmitri: dima mitya
dmitriy: dima mitya
dmitry: dima mitya
dolores: lola
dominik: nik nick
eduard: edi edik
ekaterina: katya katia
elena: lena alyona
elisabeth: lisa elli betti sissi lisbeth elsbeth
elzbieta: ela
enrique: quique
ernst: erni
evgeniy: zhenya
evgeniya: zhenya
federico: fede
florian: flo
francesca: franca fra cesca
francesco: franco checco
francisca: paca paqui
francisco: paco pancho curro fran kiko
francois: fanfan
franz: franzl
frederic: fred
friedrich: fritz fred
galina: galya
gennadiy: gena
georg: schorsch
georgiy: gosha zhora
gerhard: gerd
giovanni: gianni nanni vanni
giuseppe: beppe peppe pino peppino
grigoriy: grisha
guillermo: memo guille
gunther: gunni
hans: hansi hannes
heinrich: heinz heiner
henryk: heniek
ignacio: nacho
igor: gosha
irina: ira
ivan: vanya
jacqueline: jacquie
jan: janek jasiu
jean: jeannot
jerzy: jurek
jesus: chucho
joachim: achim jochen
johann: hans hannes
johannes: hans hannes jo
jose: pepe pepito
josef: sepp jupp
josefa: pepa
julia: julka
katarina: kati
katarzyna: kasia kaska
katharina: kathi kati kathe kaethe katrin
klaus: klausi
konstantin: kostya
krzysztof: krzys krzysiek
leonid: lenya
lorenzo: renzo
ludmila: lyuda mila
lyudmila: lyuda mila luda
luigi: gigi
magdalena: magda lena leni
malgorzata: gosia malgosia
manfred: manni
manuel: manolo manu
margarethe: grete gretel
margarita: rita
maria: masha marie mariechen marusya maruja mia
mariya: masha marusya
matthias: matze hias
maximilian: max maxi
mercedes: merche
michael: michi michel micha mischa
michal: michas
mikhail: misha
nadezhda: nadya
natalia: natasha nata
natalya: natasha nata
nikolai: kolya
nikolay: kolya
nikolaus: klaus niko
oksana: ksyusha
olga: olya
pavel: pasha
pedro: perico
petr: petya
philippe: phil
piotr: piotrek
pyotr: petya
rafael: rafa
ramon: moncho
roberto: berto
rodolfo: rudi fito
rosario: charo
salvatore: toto turi
santiago: santi
sebastian: basti seb
sebastien: seb
sergei: seryozha serezha
sergey: seryozha serezha
sergiy: seryozha
sofia: sonya
stanislaw: staszek stas
stefan: steff
svetlana: sveta
tatiana: tanya tania
tatyana: tanya tania
teresa: tere
theodor: theo
thomas: tommi
tomasz: tomek
ulrich: uli
ursula: uschi ulla
valentina: valya
valeriy: valera
vasiliy: vasya
vincenzo: enzo
viktor: vitya
viktoriya: vika
vladimir: vova volodya vlad
vyacheslav: slava
waldemar: waldi
walter: walti
werner: wern
wilhelm: willi willy
wojciech: wojtek
wolfgang: wolf wolfi
yevgeny: zhenya
yulia: yulya
yuliya: yulya
yuri: yura
yuriy: yura
zofia: zosia
"""


def _read_forms(table: str) -> dict[str, frozenset[str]]:
    formal_of: dict[str, set[str]] = {}
    for line in table.strip().splitlines():
        formal, _, forms = line.partition(": ")
        for form in forms.split():
            formal_of.setdefault(form, set()).add(formal)
    return {form: frozenset(formals) for form, formals in formal_of.items()}


OTHER_FORMAL_NAMES = _read_forms(_OTHER_LANGUAGES)


@lru_cache(1)
def _english() -> NickNamer:
    return NickNamer()


@lru_cache(1 << 15)
def formal_names(given: str) -> frozenset[str]:
    """List the names a given name may stand for, itself among them."""
    return frozenset({given}) | _english().canonicals_of(given) | OTHER_FORMAL_NAMES.get(given, frozenset())


def are_forms_of_one_name(left: str, right: str) -> bool:
    """Tell whether one is a pet form of the other, or both of a third."""
    return not formal_names(left).isdisjoint(formal_names(right))
