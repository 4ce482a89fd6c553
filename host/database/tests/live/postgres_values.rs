//! Values of PostgreSQL come back as they are, and parameters are what the server takes them for.

use whimbrel_core::value::Value;
use whimbrel_database::Command;

use super::{Target, texts, value};

#[tokio::test]
async fn values_come_back_as_they_are() {
    let target = Target::postgres("types");
    let mut session = target.session().await;
    texts(
        session.as_mut(),
        &[
            "CREATE TYPE mood AS ENUM ('fine')",
            "CREATE DOMAIN age AS int",
        ],
    )
    .await
    .unwrap();
    let other = |text: &str, name: &str| Value::Other(text.to_owned(), name.to_owned());
    let time = |text: &str| Value::Time(text.to_owned());
    let decimal = |text: &str| Value::Decimal(text.to_owned());
    for (sql, expected) in [
        ("NULL::int", Value::Null),
        ("true", Value::Boolean(true)),
        ("-3::int2", Value::Integer(-3)),
        ("4", Value::Integer(4)),
        ("5::int8", Value::Integer(5)),
        ("6::oid", Value::Integer(6)),
        ("7::age", Value::Integer(7)),
        ("1.5::float4", Value::Real(1.5)),
        ("'-infinity'::float8", Value::Real(f64::NEG_INFINITY)),
        ("0::numeric", decimal("0")),
        ("-12345.6700::numeric", decimal("-12345.6700")),
        ("0.00012::numeric", decimal("0.00012")),
        ("1e20::numeric", decimal("100000000000000000000")),
        ("'NaN'::numeric", decimal("NaN")),
        ("'infinity'::numeric", decimal("Infinity")),
        ("'-infinity'::numeric", decimal("-Infinity")),
        ("'ö'::text", Value::Text("ö".to_owned())),
        ("'a'::\"char\"", Value::Text("a".to_owned())),
        ("'n'::name", Value::Text("n".to_owned())),
        ("'\\x00ff'::bytea", Value::Bytes(vec![0, 255])),
        ("'{\"a\": 1}'::json", Value::Json("{\"a\": 1}".to_owned())),
        ("'{\"a\":1}'::jsonb", Value::Json("{\"a\": 1}".to_owned())),
        ("'2026-02-28'::date", time("2026-02-28")),
        ("'infinity'::date", time("infinity")),
        ("'1999-12-31'::date", time("1999-12-31")),
        ("'12:34:56.5'::time", time("12:34:56.5")),
        ("'2026-02-28 12:00'::timestamp", time("2026-02-28T12:00:00")),
        (
            "'2026-02-28 12:00+02'::timestamptz",
            time("2026-02-28T10:00:00Z"),
        ),
        ("'-infinity'::timestamptz", time("-infinity")),
        (
            "'1 month 2 days -3.5 seconds'::interval",
            other("P1M2DT-3.500000S", "interval"),
        ),
        (
            "'00000000-0000-0000-0000-000000000001'::uuid",
            other("00000000-0000-0000-0000-000000000001", "uuid"),
        ),
        ("'fine'::mood", other("fine", "mood")),
        ("ARRAY[1, NULL, 3]", other("{1,NULL,3}", "int4[]")),
        ("ARRAY['a\"b', 'c']", other("{\"a\\\"b\",\"c\"}", "text[]")),
        ("'{}'::int[]", other("{}", "int4[]")),
    ] {
        assert_eq!(
            value(session.as_mut(), &format!("SELECT {sql}")).await,
            expected,
            "{sql}"
        );
    }
    for sql in ["SELECT '1.2.3.4'::inet", "SELECT ARRAY[[1]]"] {
        let error = session
            .run(&[Command::with(sql, vec![])])
            .await
            .unwrap_err()
            .error;
        assert!(
            error.to_string().contains("cast it to text") && !error.is_connection_lost(),
            "{error}"
        );
    }
    assert_eq!(
        value(session.as_mut(), "SELECT 1").await,
        Value::Integer(1),
        "the session goes on"
    );
}

#[tokio::test]
async fn the_server_infers_what_parameters_are() {
    let target = Target::postgres("parameters");
    let mut session = target.session().await;
    let table = "CREATE TABLE t (a int, b numeric, c bytea, d jsonb, e timestamptz, f bool, g float8, h uuid, i text[])";
    texts(session.as_mut(), &[table]).await.unwrap();
    let values = vec![
        Value::Integer(7),
        Value::Decimal("1.50".to_owned()),
        Value::Bytes(vec![1, 0, 2]),
        Value::Json("{\"a\": 1}".to_owned()),
        Value::Time("2026-01-02T03:04:05Z".to_owned()),
        Value::Boolean(false),
        Value::Real(f64::INFINITY),
        Value::Other(
            "00000000-0000-0000-0000-000000000001".to_owned(),
            "uuid".to_owned(),
        ),
        Value::Other("{\"a\"}".to_owned(), "text[]".to_owned()),
    ];
    let insert = Command::with(
        "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        values.clone(),
    );
    let select = Command::with(
        "SELECT * FROM t WHERE a = $1",
        vec![Value::Text("7".to_owned())],
    );
    let done = session.run(&[insert, select]).await.unwrap();
    assert_eq!((done[0].rows_affected, done[1].rows_affected), (1, 1));
    assert_eq!(done[1].rows.rows[0], values);
    assert_eq!(done[1].rows.columns.concat(), "abcdefghi");
    let text = texts(
        session.as_mut(),
        &["SELECT a, NULL FROM t; UPDATE t SET a = 8"],
    )
    .await
    .unwrap();
    assert_eq!(
        (text[0].rows_affected, &text[0].rows.rows[0][0]),
        (1, &Value::Text("7".to_owned()))
    );
}
