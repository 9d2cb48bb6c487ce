//! Statements that nobody wrote.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::database::Unprotected;
use super::{ADMITTED, CHANGES, guard};

/// A statement with a hole (`{}`) wherever a tenant's condition stands, with what fills each.
const FORMS: &[(&str, &[&str])] = &[
    ("SELECT marker FROM loads WHERE {} AND rate > 0", &["tenant_id = $1"]),
    (
        "SELECT l.marker FROM loads l JOIN drivers d ON {} WHERE {} AND d.rate > 0",
        &["d.tenant_id = $1", "l.tenant_id = $1"],
    ),
    ("SELECT l.marker FROM loads l LEFT JOIN drivers d ON {} WHERE {}", &["d.tenant_id = $1", "l.tenant_id = $1"]),
    (
        "SELECT l.marker FROM loads l, drivers d, drivers e WHERE {} AND {} AND {}",
        &["l.tenant_id = $1", "$1 = d.tenant_id", "e.tenant_id = $1"],
    ),
    (
        "SELECT marker FROM loads WHERE {} UNION SELECT marker FROM drivers WHERE {}",
        &["tenant_id = $1", "tenant_id = $1"],
    ),
    (
        "WITH w AS (SELECT * FROM loads WHERE {}) SELECT w.marker FROM w JOIN drivers d ON {}",
        &["tenant_id = $1", "d.tenant_id = $1"],
    ),
    (
        "SELECT marker FROM (SELECT * FROM loads l WHERE {}) x WHERE EXISTS (SELECT FROM drivers d WHERE {})",
        &["l.tenant_id = $1", "d.tenant_id = $1"],
    ),
    ("UPDATE loads l SET rate = 2 FROM drivers d WHERE {} AND {}", &["l.tenant_id = $1", "d.tenant_id = $1"]),
    ("DELETE FROM loads WHERE {} AND id IN (SELECT id FROM drivers WHERE {})", &["tenant_id = $1", "tenant_id = $1"]),
];

/// What no longer says that the row is the tenant's.
const WEAKENED: &[&str] = &[
    "true",
    "$1 IS NOT NULL",
    "(@ OR true)",
    "(@ OR rate > 0 AND @)",
    "NOT (@)",
    "NOT NOT (@)",
    "(@) IS NOT NULL",
    "(@) IS NOT FALSE",
    "CASE WHEN @ THEN true ELSE true END",
    "coalesce(@, true)",
    "(@) = (@)",
    "(@) IN (true, false)",
    "EXISTS (SELECT WHERE @ OR true)",
];

fn fill(form: &str, conditions: impl IntoIterator<Item = String>) -> String {
    conditions.into_iter().fold(form.to_owned(), |sql, condition| sql.replacen("{}", &condition, 1))
}

proptest! {
    #[test]
    fn a_condition_that_is_removed_anywhere_refuses_the_statement(
        (form, conditions) in proptest::sample::select(FORMS), weak in proptest::sample::select(WEAKENED), at: proptest::sample::Index,
        wrapped: bool,
    ) {
        let at = at.index(conditions.len());
        let wrap = |condition: &str| if wrapped { format!("(rate = rate AND ({condition}))") } else { condition.to_owned() };
        let qualified = |condition: &str| if conditions.len() > 1 && wrapped { format!("(({condition}))") } else { wrap(condition) };
        let whole = fill(form, conditions.iter().map(|condition| qualified(condition)));
        prop_assert!(guard().check(&whole).is_ok(), "{whole}");
        let weakened = conditions.iter().enumerate().map(|(this, condition)| {
            if this == at { weak.replace('@', condition) } else { (*condition).to_owned() }
        });
        let weakened = fill(form, weakened);
        prop_assert!(guard().check(&weakened).is_err(), "{weakened}");
    }

    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,60}", words in proptest::collection::vec(proptest::sample::select(WORDS), 0..30)) {
        let _ = guard().check(&text);
        let _ = guard().check(&words.join(" "));
    }
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "JOIN",
    "LEFT JOIN",
    "RIGHT JOIN",
    "FULL JOIN",
    "CROSS JOIN",
    "NATURAL JOIN",
    "ON",
    "USING (id)",
    "UNION",
    "UNION ALL",
    "EXCEPT",
    "INTERSECT",
    "WITH",
    "AS",
    "(",
    ")",
    ",",
    "=",
    "<>",
    "IS NULL",
    "IS NOT NULL",
    "IS TRUE",
    "IN",
    "BETWEEN",
    "EXISTS",
    "LATERAL",
    "loads",
    "drivers",
    "countries",
    "loads l",
    "drivers d",
    "drivers loads",
    "l",
    "d",
    "x",
    "l.tenant_id",
    "d.tenant_id",
    "tenant_id",
    "loads.tenant_id",
    "$1",
    "l.tenant_id = $1",
    "d.tenant_id = $1",
    "tenant_id = $1",
    "true",
    "false",
    "1",
    "'x'",
    "marker",
    "l.marker",
    "*",
    "l.*",
    "max(marker)",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT 5",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "::text",
    "||",
    "VALUES",
    "INSERT INTO",
    "UPDATE",
    "SET",
    "rate = 2",
    "DELETE FROM",
    "RETURNING",
    "\"",
    "'",
    "-",
    "/",
    "\n",
];

/// Admitted statements with some pieces taken out, exchanged or put in.
pub(crate) fn mutations(number: usize) -> Vec<String> {
    let mut runner = TestRunner::default();
    let whole =
        FORMS.iter().map(|(form, conditions)| fill(form, conditions.iter().map(|&condition| condition.to_owned())));
    let whole: Vec<String> = whole.chain(ADMITTED.iter().chain(CHANGES).map(|&sql| sql.to_owned())).collect();
    let edit = (0..4_usize, any::<proptest::sample::Index>(), proptest::sample::select(WORDS));
    let strategy = (proptest::sample::select(whole), proptest::collection::vec(edit, 1..5)).prop_map(|(sql, edits)| {
        let spaced = sql.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
        let mut words: Vec<&str> = spaced.split_whitespace().collect();
        for (kind, at, word) in &edits {
            let at = at.index(words.len().max(1));
            match kind {
                0 if at < words.len() => drop(words.remove(at)),
                1 if at < words.len() => drop(words.splice(at..=at, [*word])),
                2 if at + 1 < words.len() => words.swap(at, at + 1),
                _ => words.insert(at, word),
            }
        }
        words.join(" ")
    });
    (0..number).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[sqlx::test]
async fn mutations_that_pass_return_no_foreign_row(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut database = Unprotected::new(&options.connect_with(connect).await.unwrap()).await;
    let mut passed = 0;
    for sql in mutations(10_000) {
        if guard().check(&sql).is_ok() {
            passed += 1;
            assert!(database.holds(&guard(), &sql).await, "{sql}");
        }
    }
    assert!(passed > 100, "{passed} passed: too few to say anything");
}
