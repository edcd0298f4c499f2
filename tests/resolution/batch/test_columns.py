"""Which column is which field."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from resolution.batch.column_content import field_by_content
from resolution.batch.columns import FIELDS, extra_by_name, field_by_name, map_columns
from resolution.errors import InvalidInput


def fields(names: Sequence[str], *given: tuple[str, str], rows: Sequence[Sequence[str]] = ()) -> list[str]:
    return [use.field for use in map_columns(names, given, rows).uses]


class TestNames:
    @pytest.mark.parametrize(
        ("header", "field"),
        [
            ("first_name", "given_name"), ("Vorname", "given_name"), ("PRÉNOM", "given_name"),
            ("fname", "given_name"),
            ("surname", "family_name"), ("Apellidos", "family_name"), ("nazwisko", "family_name"),
            ("E-Mail-Adresse", "email"), ("customer_email", "email"), ("Correo electrónico", "email"),
            ("Telefonnummer", "phone"), ("mobile phone", "phone"), ("dob", "birth_date"),
            ("Geburtsdatum", "birth_date"), ("zip", "postcode"), ("PLZ", "postcode"),
            ("billing_city", "city"),
            ("suburb", "city"), ("state", "region"),
            ("rec_id", "record_id"), ("Kundennummer", "record_id"), ("soc_sec_id", "external_id"),
            ("氏名", "name"), ("メールアドレス", "email"), ("邮编", "postcode"), ("전화번호", "phone"),
            ("Příjmení", "family_name"), ("Irányítószám", "postcode"), ("Ηλ. ταχυδρομείο", "email"),
            ("تاريخ الميلاد", "birth_date"), ("עיר", "city"), ("Поштовий індекс", "postcode"),
            ("City/Town", "city"), ("Date of Birth (DOB)", "birth_date"), ("Mailing City", "city"),
            ("GBDAT", "birth_date"), ("Kontakt", ""),
            ("Address 1 - City", "city"), ("E-mail 1 - Value", "email"), ("E-mail 2 Address", "email"),
            ("Default Address Zip", "postcode"), ("Organization 1 - Name", "company"),
            ("Firma", "company"), ("username", "handle"), ("telephone", "phone"), ("shoe size", ""),
        ],
    )  # fmt: skip
    def test_say_the_field_in_many_languages(self, header: str, field: str) -> None:
        assert field_by_name(header) == field

    def test_of_fields_name_themselves(self) -> None:
        assert [field_by_name(field) for field in FIELDS] == list(FIELDS)

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["Nom", "Prénom"], ["family_name", "given_name"]),
            (["Nom", "email"], ["name", "email"]),
            (["Vorname", "Name"], ["given_name", "family_name"]),
            (["Nome", "Cognome"], ["given_name", "family_name"]),
            (["Nombre", "Apellidos"], ["given_name", "family_name"]),
            (["Nombre", "Teléfono móvil"], ["name", "phone"]),
            (["rec_id", "Kundennummer"], ["record_id", "external_id"]),
            (["N° client", "id"], ["external_id", "record_id"]),
            (["Straße und Hausnummer", "Ort"], ["address", "city"]),
            (["cust_fname", "surname_1"], ["given_name", "family_name"]),
            (["contact_email_1", "home_phone"], ["email", "phone"]),
            (["Förnamn", "Efternamn", "E-post"], ["given_name", "family_name", "email"]),
            (["Sukunimi", "Puhelinnumero"], ["family_name", "phone"]),
            (["Фамилия", "Имя", "Дата рождения"], ["family_name", "given_name", "birth_date"]),
            (["nino", "addrCity"], ["external_id", "city"]),
            (["NAME_FIRST", "Name (Last)", "ADDR_FULL"], ["given_name", "family_name", "address"]),
            (["GivenNm", "FamilyNm", "CellPh"], ["given_name", "family_name", "phone"]),
            (["given", "family", "full_phone_number"], ["given_name", "family_name", "phone"]),
            (["res_street_address", "res_city_desc", "Mailing Postal Code"], ["address", "city", "postcode"]),
            (["Str.", "Hs.-Nr.", "gender_code"], ["address", "address", ""]),
            (["姓名", "手机", "出生日期", "住址"], ["name", "phone", "birth_date", "address"]),
            (["氏名", "メールアドレス", "郵便番号"], ["name", "email", "postcode"]),
            (["이름", "전화번호", "생년월일"], ["name", "phone", "birth_date"]),
            (["Příjmení", "Jméno", "PSČ"], ["family_name", "given_name", "postcode"]),
            (["Nombre", "Primer apellido", "Segundo apellido"], ["given_name", "family_name", ""]),
            (["NAMEV", "NAME1"], ["given_name", "family_name"]),
            (["Nume", "Prenume"], ["family_name", "given_name"]),
            (["이름", "성"], ["given_name", "family_name"]),
            (["이름", "이메일"], ["name", "email"]),
            (["c_fname", "c_lname", "c_mail"], ["given_name", "family_name", "email"]),
            (["contact.firstName", "contact.email", "contact.city"], ["given_name", "email", "city"]),
            (["birth_year", "birth_month", "birth_day"], ["birth_date"] * 3),
            (["Geburtstag", "Geburtsmonat", "Geburtsjahr"], ["birth_date"] * 3),
            (["birth_year", "email"], ["", "email"]),
            (["Address - Formatted", "Address - Street", "City"], ["", "address", "city"]),
            (["full_address", "email"], ["address", "email"]),
            (["dob", "birth_year", "birth_month", "birth_day"], ["birth_date", "", "", ""]),
        ],
    )  # fmt: skip
    def test_are_understood_beside_each_other(self, names: list[str], expected: list[str]) -> None:
        assert fields(names) == expected

    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("Geburtsort", "birth_place"),
            ("yob", "birth_year"),
            ("Gender", "sex"),
            ("email", ""),
            ("x", ""),
            ("Segundo apellido", "second_family_name"),
        ],
    )
    def test_say_what_else_of_a_person_they_speak_of(self, header: str, name: str) -> None:
        assert extra_by_name(header) == name


class TestContent:
    @pytest.mark.parametrize(
        ("values", "field"),
        [
            (["a@b.example", "c@d.example", "e@f.example"], "email"),
            (["+49 30 1234567", "+49 30 7654321", "030 5556677"], "phone"),
            (["1950-01-02", "1981-05-06", "2001-09-10"], "birth_date"),
            (["2024-01-02", "2024-05-06", "2024-09-10"], ""),
            (["1950年1月2日", "1981年5月6日", "2001年9月10日"], "birth_date"),
            (["DE", "FR", "GB"], "country"),
            (["red", "blue", "green"], ""),
            (["10234567", "10234568", "10234569"], ""),
            (["a@b.example"], ""),
            (["a@b.example", "+49 30 1234567", "c@d.example", "030 7654321"], "email"),
            (["19500102", "19810506", "20010910"], "birth_date"),
            ([f"{number}000" for number in range(30, 60)] * 2, ""),
        ],
    )
    def test_speaks_where_the_name_does_not(self, values: list[str], field: str) -> None:
        assert field_by_content(values) == field


class TestMapColumns:
    def test_a_given_column_goes_before_a_guessed_one(self) -> None:
        assert fields(["email", "contact"], ("name", "email"), ("email", "contact")) == ["name", "email"]

    def test_an_empty_column_drops_the_field(self) -> None:
        assert fields(["email", "phone"], ("phone", "")) == ["email", ""]

    def test_of_streets_for_two_purposes_the_first_counts(self) -> None:
        names = ("Billing Street", "Billing Address 2", "Billing City", "Shipping Street", "Shipping City")

        found = map_columns(names, (), [("5 Main St", "Flat 2", "Leeds", "7 Park Rd", "York")]).as_options()

        assert found == {
            "Billing Street": "address", "Billing Address 2": "address", "Billing City": "city",
            "Shipping Street": "", "Shipping City": "",
        }  # fmt: skip

    def test_the_first_of_two_names_for_one_field_wins(self) -> None:
        assert fields(["first_name", "vorname", "email"]) == ["given_name", "", "email"]

    def test_two_mailboxes_are_both_kept(self) -> None:
        assert fields(["email", "email2"]) == ["email", "email"]

    def test_the_parts_of_an_address_are_read_in_their_own_order(self) -> None:
        columns = map_columns(["address_2", "address_1", "street_number"], [], [])

        assert columns.places() == {"address": (2, 1, 0)}

    def test_the_parts_of_a_date_are_read_from_the_year_on(self) -> None:
        columns = map_columns(["birth_day", "email", "birth_month", "birth_year"], [], [])

        assert columns.places()["birth_date"] == (3, 2, 0)

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("mail", ["yes", "no", "yes"]),
            ("phone", ["Android", "iPhone", "none"]),
            ("birthday", ["3", "17", "30"]),
        ],
    )
    def test_what_a_column_holds_outweighs_its_name(self, name: str, values: list[str]) -> None:
        assert fields([name, "email"], rows=[(value, "a@b.example") for value in values]) == ["", "email"]

    def test_a_blank_column_leaves_its_field_to_a_filled_one(self) -> None:
        rows = [("", "Ulm", "a@b.example")] * 3

        assert fields(["Business City", "Home City", "email"], rows=rows) == ["", "city", "email"]

    def test_what_is_told_outweighs_what_a_column_holds(self) -> None:
        rows = [(value, "a@b.example") for value in ("yes", "no", "yes")]

        assert fields(["mail", "x"], ("email", "mail"), rows=rows)[0] == "email"

    def test_an_unknown_field_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(InvalidInput, match=r"no field “shoe_size”.*given_name"):
            fields(["email"], ("shoe_size", "email"))

    def test_a_missing_column_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(InvalidInput, match="no column “mail” for email; its columns are contact, phone"):
            fields(["contact", "phone"], ("email", "mail"))

    def test_one_field_from_two_columns_is_refused_where_only_one_fits(self) -> None:
        with pytest.raises(
            InvalidInput, match="birth_date can come from one column only; a and b were given"
        ):
            fields(["a", "b"], ("birth_date", "a"), ("birth_date", "b"))

    def test_a_file_that_describes_nobody_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"None of the columns \(colour, country\)"):
            fields(["colour", "country"])
