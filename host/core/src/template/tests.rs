use super::{
    TemplateErrorKind, Values, expand_sql, expand_url, placeholders, scan::is_parameter_name,
    url_placeholders,
};
use crate::statement::Dialect::{self, Postgres, Sqlite};

fn values() -> Values {
    [
        ("schema", "shop"),
        ("odd", r#"a"b'c\d"#),
        ("dollar", "$"),
        ("tag", "x $body$ y"),
        ("empty", ""),
        ("nul", "a\0b"),
        (
            "long",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl",
        ),
        ("path", "a/b c@é"),
        ("bracket", "a]b"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn expanded(dialect: Dialect, sql: &str) -> String {
    expand_sql(dialect, sql, &values()).unwrap()
}

fn refused(dialect: Dialect, sql: &str) -> (usize, usize, TemplateErrorKind) {
    let error = expand_sql(dialect, sql, &values()).unwrap_err();
    (error.offset, error.length, error.kind)
}

#[test]
fn quotes_for_the_place() {
    for (sql, expected) in [
        ("CREATE TABLE ${schema}.t", r#"CREATE TABLE "shop".t"#),
        ("SELECT ${odd:identifier}", r#"SELECT "a""b'c\d""#),
        ("SELECT ${odd:literal}", r#"SELECT 'a"b''c\d'"#),
        ("SELECT '<${odd}>'", r#"SELECT '<a"b''c\d>'"#),
        ("SELECT 'it''s ${schema}'", "SELECT 'it''s shop'"),
        (r#"SELECT "x ${odd}""#, r#"SELECT "x a""b'c\d""#),
        (r#"SELECT "a""${schema}""#, r#"SELECT "a""shop""#),
        (
            "'${schema:identifier}.o'::regclass",
            r#"'"shop".o'::regclass"#,
        ),
        (
            "EXECUTE 'x ${odd:literal}'",
            r#"EXECUTE 'x ''a"b''''c\d'''"#,
        ),
    ] {
        assert_eq!(expanded(Postgres, sql), expected);
        assert_eq!(expanded(Sqlite, sql), expected);
    }
}

#[test]
fn an_empty_string_is_a_literal_but_no_identifier() {
    assert_eq!(expanded(Postgres, "${empty:literal}, '${empty}'"), "'', ''");
    for sql in ["${empty}", r#""${empty}""#] {
        let (.., kind) = refused(Postgres, sql);
        assert_eq!(
            kind.to_string(),
            "the value of `empty` is empty, and no identifier is"
        );
    }
}

#[test]
fn leaves_alone_what_is_no_placeholder() {
    for sql in [
        "SELECT $1, $2::text -- ${nothing}\n",
        "/* ${nothing} ' */ SELECT a$b$c",
        "SELECT '$', '$1', '{}' /* unfinished ${x}",
        "SELECT 1 -- ' ${x}",
        "$",
        "$$",
        "'unfinished",
        "$a$ unfinished",
        "é$é",
    ] {
        assert_eq!(expanded(Postgres, sql), sql);
        assert_eq!(expanded(Sqlite, sql), sql);
    }
}

#[test]
fn comments_nest_in_postgres_only() {
    let sql = "/* a /* b */ ${schema} */";
    assert_eq!(expanded(Postgres, sql), sql);
    assert_eq!(expanded(Sqlite, sql), r#"/* a /* b */ "shop" */"#);
}

#[test]
fn backslashes_count_in_escape_strings() {
    assert_eq!(
        expanded(Postgres, r"E'\'${odd}' || ${schema}"),
        r#"E'\'a"b''c\\d' || "shop""#
    );
    assert_eq!(expanded(Postgres, r"U&'${odd}'"), r#"U&'a"b''c\\d'"#);
    assert_eq!(expanded(Postgres, r"somee'${odd}'"), r#"somee'a"b''c\d'"#);
    assert_eq!(expanded(Sqlite, r"e'\' || ${schema}"), r#"e'\' || "shop""#);
}

#[test]
fn sqlite_has_more_quotes_and_no_dollar_quotes() {
    assert_eq!(
        expanded(Sqlite, "[${schema} x] `a``${schema}` $$'${schema}'"),
        "[shop x] `a``shop` $$'shop'"
    );
    assert!(expand_sql(Sqlite, "[${bracket}]", &values()).is_err());
    assert_eq!(expanded(Postgres, "a[1] + ${schema}"), r#"a[1] + "shop""#);
}

#[test]
fn bodies_follow_the_same_rules() {
    let sql = "DO $body$ BEGIN -- it's ${nothing}\n EXECUTE 'x ${schema}' || $$${schema}$$ || ${schema}; END $body$";
    assert_eq!(
        expanded(Postgres, sql),
        "DO $body$ BEGIN -- it's ${nothing}\n EXECUTE 'x shop' || $$\"shop\"$$ || \"shop\"; END $body$"
    );
    assert_eq!(
        expanded(Postgres, "$$don't$$ ${schema}"),
        r#"$$don't$$ "shop""#
    );
}

#[test]
fn a_value_never_ends_a_body() {
    for sql in [
        "$body$ '${tag}' $body$",
        "$$ '${dollar}$' $$",
        "$$ it's ${dollar}$$",
        "$body$ $$ ${tag} $$ $body$",
    ] {
        let (.., kind) = refused(Postgres, sql);
        assert!(
            kind.to_string()
                .ends_with("would end the dollar-quoted body in which it stands"),
            "{sql}"
        );
    }
    assert_eq!(expanded(Postgres, "$$ '${dollar} ' $$"), "$$ '$ ' $$");
}

#[test]
fn an_escaped_placeholder_is_text() {
    assert_eq!(
        expanded(Postgres, "SELECT '$${schema}'"),
        "SELECT '${schema}'"
    );
    assert_eq!(
        expanded(Postgres, "$$ '$${schema}' $$"),
        "$$ '${schema}' $$"
    );
    assert_eq!(expanded(Sqlite, "SELECT '$${'"), "SELECT '${'");
    assert_eq!(expanded(Sqlite, "$${schema}"), "${schema}");
    // JSON between dollar quotes is no escaped placeholder.
    assert_eq!(
        expanded(Postgres, r#"$${"a": 1}$$, '${schema}'"#),
        r#"$${"a": 1}$$, 'shop'"#
    );
}

#[test]
fn says_where_and_what_is_wrong() {
    let unknown = TemplateErrorKind::Unknown {
        name: "shcema".to_owned(),
        nearest: Some("schema".to_owned()),
    };
    assert_eq!(refused(Postgres, "x ${shcema}"), (2, 9, unknown));
    for (sql, length) in [
        ("a ${}", 3),
        ("a ${b c}", 6),
        ("a ${b", 2),
        ("a ${b\n}", 2),
        ("a ${1}", 4),
    ] {
        assert_eq!(
            refused(Postgres, sql),
            (2, length, TemplateErrorKind::Malformed)
        );
    }
    assert_eq!(
        refused(Postgres, "${schema:raw}"),
        (0, 13, TemplateErrorKind::Kind("raw".to_owned()))
    );
    assert!(expand_sql(Postgres, "'${nul}'", &values()).is_err());
    assert!(expand_sql(Postgres, "${long}", &values()).is_err());
    assert!(expand_sql(Sqlite, "${long}", &values()).is_ok());
}

#[test]
fn lists_placeholders() {
    let found = placeholders(Postgres, "${a} '${b:literal}' -- ${c}\n $$ ${d} $$ $${e}").unwrap();
    let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "d"]);
    assert_eq!((found[1].offset, found[1].length), (6, 12));
}

#[test]
fn encodes_in_urls() {
    let url = expand_url("postgres://$${h}/${path}?x=$1&y=${schema}", &values()).unwrap();
    assert_eq!(url, "postgres://${h}/a%2Fb%20c%40%C3%A9?x=$1&y=shop");
    assert!(expand_url("a/${nope}", &values()).is_err());
    assert!(expand_url("a/${", &values()).is_err());
    let found = url_placeholders("$${h}/${path}/${x}").unwrap();
    assert_eq!(found.len(), 2);
}

#[test]
fn parameter_names() {
    assert!(is_parameter_name("a_b-2"));
    for name in ["", "2a", "a.b", "a b", "ä"] {
        assert!(!is_parameter_name(name), "{name}");
    }
}
