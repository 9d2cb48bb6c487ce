use proptest::prelude::*;

use super::{Refusal, check_statement};

#[test]
fn admits_queries_and_data_changes() {
    for sql in [
        "SELECT 1",
        "select 1",
        "SeLeCt 1",
        "SELECT",
        "SELECT*FROM loads",
        "SELECT(1)",
        "SELECT'x'",
        "SELECT\"id\" FROM loads",
        "SELECT--\n1",
        "INSERT INTO loads DEFAULT VALUES",
        "UPDATE loads SET rate_cents = 1",
        "DELETE FROM loads",
        "MERGE INTO loads USING other ON true WHEN MATCHED THEN DELETE",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "VALUES (1)",
        "TABLE loads",
        "  \t\r\n\x0cSELECT 1",
        "((SELECT 1) UNION SELECT 2)",
        "-- a load\nSELECT 1",
        "-- a load\rSELECT 1",
        "--\n--\n/**/SELECT 1",
        "/* outer /* inner */ outer */ SELECT 1",
        "/***/SELECT 1",
        "/* -- */SELECT 1",
        "-- /*\nSELECT 1",
    ] {
        assert_eq!(check_statement(sql), Ok(()), "{sql:?}");
    }
}

#[test]
fn refuses_everything_else() {
    for sql in [
        "",
        " ",
        "-- SELECT 1",
        "/* SELECT 1",
        "/* SELECT 1 */",
        "SET stockade.tenant_id = ''",
        "RESET ALL",
        "BEGIN",
        "START TRANSACTION",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT s",
        "RELEASE s",
        "PREPARE TRANSACTION 'x'",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE ALL",
        "DISCARD ALL",
        "COPY loads TO STDOUT",
        "DO $$BEGIN END$$",
        "CALL f()",
        "EXPLAIN SELECT 1",
        "LISTEN x",
        "UNLISTEN *",
        "NOTIFY x",
        "DECLARE c CURSOR FOR SELECT 1",
        "FETCH c",
        "LOCK loads",
        "TRUNCATE loads",
        "CREATE TABLE t ()",
        "ALTER TABLE loads DISABLE ROW LEVEL SECURITY",
        "DROP TABLE loads",
        "GRANT ALL ON loads TO PUBLIC",
        "SHOW ALL",
        "SELECTS 1",
        "SELECT_1",
        "SELECT1",
        "SELECT$1",
        "SELECT\u{e9}",
        "xSELECT 1",
        "\"SELECT\" 1",
        "\u{feff}SELECT 1",
        "\u{a0}SELECT 1",
        "\x0bSELECT 1",
        "\0SELECT 1",
        "*SELECT 1",
    ] {
        assert_eq!(check_statement(sql), Err(Refusal::NotAQuery), "{sql:?}");
    }
}

#[test]
fn a_semicolon_is_never_skipped() {
    assert!(check_statement("; SET x.y = 'z'").is_err());
    assert!(check_statement("(; SET x.y = 'z'").is_err());
    assert!(check_statement("/**/;SELECT 1").is_err());
}

#[test]
fn comments_end_where_the_server_ends_them() {
    // A carriage return ends a line comment: the server would see SET.
    assert!(check_statement("--\rSET x.y = 'z'--\nSELECT 1").is_err());
    // Comments nest: the server would see SET.
    assert!(check_statement("/* /* */ SELECT 1; */ SET x.y = 'z'").is_err());
    // A nested opening that shares no character with the first one.
    assert!(check_statement("/*/*/ SELECT 1 */ SET x.y = 'z'").is_err());
    assert!(check_statement("/*/ SELECT 1 */ SET x.y = 'z'").is_err());
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(sql in any::<String>()) {
        let _ = check_statement(&sql);
    }

    #[test]
    fn what_is_skipped_does_not_change_the_answer(
        skipped in proptest::collection::vec(
            prop_oneof![
                Just(" ".to_owned()),
                Just("\n".to_owned()),
                Just("(".to_owned()),
                "--[^\r\n]{0,8}[\r\n]",
                r"/\*[a-zA-Z;' -]{0,8}\*/",
                r"/\*[a-z ]{0,4}/\*[a-zA-Z; ]{0,8}\*/[a-z ]{0,4}\*/",
            ],
            0..6,
        ),
        (statement, admitted) in prop_oneof![
            Just(("SELECT 1", true)),
            Just(("update t set a = 1", true)),
            Just(("SET a.b = 'c'", false)),
            Just(("COMMIT", false)),
            Just(("; SELECT 1", false)),
        ],
    ) {
        let sql = format!("{}{statement}", skipped.concat());
        prop_assert_eq!(check_statement(&sql).is_ok(), admitted, "{:?}", sql);
    }
}
