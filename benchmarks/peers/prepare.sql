-- How a value is written down for comparison; null where it says nothing.

create macro plain(v) as
    nullif(trim(regexp_replace(lower(strip_accents(v)), '[^\p{L}\p{N} ]+', ' ', 'g')), '');

create macro tidy_first(v) as
    case when plain(v) not in ('test', 'unknown', 'customer', 'n a', 'xxx', 'guest')
    then regexp_replace(plain(v), '^(.+) \p{L}$', '\1') end;

create macro tidy_last(v) as nullif(regexp_replace(plain(v), ' (jr|sr)$', ''), '');

create macro mailbox(e) as split_part(split_part(e, '@', 1), '+', 1);

create macro domain(e) as replace(split_part(e, '@', 2), 'googlemail.com', 'gmail.com');

create macro lone_email(e) as
    case when e like '%_@_%.__%' and e not like '%@relay.%' and e not in (
        'test@test.com', 'noemail@noemail.com', 'none@none.com', 'a@a.com', 'info@example.com')
    then case when domain(e) = 'gmail.com' then replace(mailbox(e), '.', '') else mailbox(e) end
        || '@' || domain(e) end;

create macro tidy_email(v) as lone_email(lower(trim(v)));

create macro digits(v) as regexp_replace(regexp_replace(lower(v), 'ext.*$', ''), '[^0-9]', '', 'g');

create macro lone_phone(d) as
    case when length(d) >= 7 and length(replace(d, left(d, 1), '')) > 1
        and right(d, 9) not in ('123456789', '234567890')
    then right(d, 9) end;

create macro tidy_phone(v) as lone_phone(digits(v));

create macro day_of(v) as strftime(coalesce(
    try_strptime(v, '%Y-%m-%d'), try_strptime(v, '%Y%m%d'),
    try_strptime(v, '%d.%m.%Y'), try_strptime(v, '%d/%m/%Y')), '%Y-%m-%d');

create macro tidy_date(v) as
    case when day_of(trim(v)) not in ('1900-01-01', '1970-01-01', '1980-01-01') then day_of(trim(v)) end;

create macro short_street(a) as
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(a,
        '(strasse|straße|str|\bstreet)\b', 'st', 'g'),
        '\bavenue\b', 'ave', 'g'), '\broad\b', 'rd', 'g'), '\bdrive\b', 'dr', 'g');

create macro tidy_address(v) as short_street(regexp_replace(plain(v), ' (apt|flat) *[0-9]+$', ''));

create macro tidy_code(v) as nullif(regexp_replace(upper(v), '[^A-Z0-9]', '', 'g'), '');

create macro in_order(v) as array_to_string(list_sort(string_split(v, ' ')), ' ');
