//! The bytes of captured entries: what the crate would have written of the same values, whatever the values are.

use chrono::Utc;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, Entry, Record, RequestContext,
    format::tag,
    postgres::{Capture, attach, capture_as, detach},
};
use uuid::Uuid;

use crate::{
    capture::{log, sealed},
    entries::value,
    reference::second_opinion_of,
    support::{APP, ATTACHER, connect, disarm, findings, install, number, report, scope, seal, sqlstate, tenant},
};

/// Numbers with a fraction or an exponent are written with the digits that they had, so their bytes can differ.
fn without_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.into_iter().map(without_fractions).collect(),
        Value::Object(members) => members.into_iter().map(|(key, item)| (key, without_fractions(item))).collect(),
        value => value,
    }
}

type Stored = (String, Option<String>, Option<String>, Option<String>, Vec<String>, Vec<Vec<u8>>);

/// The newest entry, as it is stored.
async fn newest(connection: &mut PgConnection) -> Stored {
    let query = "SELECT e.action, e.before::text, e.after::text, e.changes::text, coalesce(e.personal_paths, '{}'),
            coalesce(p.field_values, '{}')
        FROM stockade.audit_unsealed u JOIN stockade.audit_entry e USING (entry_id)
            LEFT JOIN stockade.audit_payload p USING (entry_id) ORDER BY u.position DESC LIMIT 1";
    sqlx::query_as(query).fetch_one(connection).await.unwrap()
}

/// What of an entry does not depend on when it was recorded.
fn as_stored(record: &Record) -> Stored {
    let text = |tag| record.envelope().field(tag).map(|bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap());
    let paths = record.personal_paths().into_iter().map(str::to_owned).collect();
    let values = record.openings().iter().map(|opening| opening.as_ref().unwrap().value.clone()).collect();
    (text(tag::ACTION).unwrap(), text(tag::BEFORE), text(tag::AFTER), text(tag::CHANGES), paths, values)
}

#[sqlx::test(migrations = false)]
async fn agrees_with_the_crate_on_any_document(pool: PgPool) {
    install(&pool).await;
    let mut attacher = connect(&pool, ATTACHER).await;
    let table = "
        CREATE TABLE docs (tenant_id uuid NOT NULL, id int PRIMARY KEY, doc jsonb, secret jsonb);
        GRANT SELECT, INSERT, UPDATE, DELETE ON docs TO stockade_audit_test_app;";
    sqlx::raw_sql(table).execute(&mut attacher).await.unwrap();
    attach(&mut attacher, &Capture::table("docs").named("doc").personal(["secret"])).await.unwrap();
    let mut app = connect(&pool, APP).await;
    let mut superuser = pool.acquire().await.unwrap();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]));
    let mut draw = || value().new_tree(&mut runner).unwrap().current();
    let actor = Actor::user("u-1").named("Ana é").with_role("");
    let request = RequestContext::new().ip(std::net::Ipv6Addr::LOCALHOST).user_agent("\u{1}\"\\");

    let mut exact = 0;
    for id in 0..i32::try_from(number("STOCKADE_AUDIT_CAPTURE_DOCUMENTS", 60)).unwrap() {
        let (first, second, secret) = (draw(), draw(), draw());
        // Half of them without fractions, and those byte for byte.
        let plain = id % 2 == 0;
        let shape = |value: &Value| if plain { without_fractions(value.clone()) } else { value.clone() };
        let (first, second, secret) = (shape(&first), shape(&second), shape(&secret));
        let mut tx = scope(&mut app, tenant(1)).await;
        capture_as(&mut *tx, &actor, &request).await.unwrap();
        let mut rows: Vec<Option<Value>> = vec![None];
        for (sql, doc) in [
            (
                "INSERT INTO docs VALUES ($1, $2, $3::text::jsonb, $4::text::jsonb) RETURNING to_jsonb(docs)::text",
                &first,
            ),
            (
                "UPDATE docs SET doc = $3::text::jsonb, secret = jsonb_build_array($4::text::jsonb)
                    WHERE tenant_id = $1 AND id = $2 RETURNING to_jsonb(docs)::text",
                &second,
            ),
        ] {
            let row = sqlx::query_scalar(sql).bind(Uuid::from(tenant(1))).bind(id);
            let row: String = row.bind(doc.to_string()).bind(secret.to_string()).fetch_one(&mut *tx).await.unwrap();
            rows.push(Some(serde_json::from_str(&row).unwrap()));
            check(&mut tx, &actor, &request, &rows[rows.len() - 2..], plain).await;
        }
        sqlx::query("DELETE FROM docs WHERE id = $1").bind(id).execute(&mut *tx).await.unwrap();
        rows.push(None);
        check(&mut tx, &actor, &request, &rows[2..], plain).await;
        tx.commit().await.unwrap();
        exact += u32::from(plain);
    }
    assert!(exact > 0);
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    // The second implementation, in Python, computes the same leaves from the same rows.
    assert_eq!(second_opinion_of(&mut superuser).await, json!([]));
}

/// Compares the newest entry with the one that the crate makes of the row before and after.
async fn check(tx: &mut PgConnection, actor: &Actor, request: &RequestContext, states: &[Option<Value>], exact: bool) {
    let [before, after] = states else { unreachable!() };
    let operation = match (before, after) {
        (None, _) => "doc.insert",
        (_, None) => "doc.delete",
        _ => "doc.update",
    };
    let mut entry = Entry::new(tenant(1), actor.clone(), operation).request(request.clone()).personal(&["/secret"]);
    if let Some(before) = before {
        entry = entry.before(before.clone());
    }
    if let Some(after) = after {
        entry = entry.after(after.clone());
    }
    let (expected, found) = (as_stored(&entry.record_at(Utc::now()).unwrap()), newest(tx).await);
    if exact {
        assert_eq!(found, expected);
        return;
    }
    // The crate would write the doubles anew, and reading that can give a neighbouring one.
    let public = |state: &Option<Value>| {
        let mut state = state.clone()?;
        state["secret"] = Value::Null;
        Some(state)
    };
    let read = |text: &Option<String>| text.as_deref().map(|text| serde_json::from_str::<Value>(text).unwrap());
    assert_eq!((read(&found.1), read(&found.2)), (public(before), public(after)));
    assert_eq!((&found.0, &found.4), (&expected.0, &expected.4));
    // A path more, where only the digits of an equal number differ.
    let paths = |text: &Option<String>| read(text).map_or(Vec::new(), |paths| paths.as_array().unwrap().clone());
    assert!(paths(&expected.3).iter().all(|path| paths(&found.3).contains(path)), "{found:?} {expected:?}");
}

const HOSTILE: &str = r#"
    CREATE SCHEMA "S ""ä";
    CREATE TYPE "Mood" AS ENUM ('a b', 'Ä');
    CREATE TYPE pair AS (a int, "b c" text);
    CREATE DOMAIN cents AS int;
    CREATE TABLE "S ""ä"."T""able é" (
        tenant_id uuid NOT NULL, gone text, key_a text, key_b int, "a/b~c" text, "q""'" text,
        ééééééééééééééééééééééééééééééé1 text, unset text, flag bool, small smallint, large bigint, dec numeric, huge numeric, nan numeric,
        inf numeric, precise numeric, double float8, dnan float8, dinf float8, single float4, dollars money, padded char(5),
        bytes bytea, at timestamptz, never timestamptz, old date, span interval, clock timetz, during tstzrange, nums int[], texts text[],
        mood "Mood", couple pair, couples pair[], price cents, bits bit(3), addr inet, place point, words tsvector, plain json, doc jsonb,
        sum int GENERATED ALWAYS AS (key_b * 2) STORED,
        PRIMARY KEY (key_b, key_a));
    ALTER TABLE "S ""ä"."T""able é" DROP COLUMN gone;"#;

const ROW: &str = r#"INSERT INTO "S ""ä"."T""able é" VALUES (
    '00000000-0000-0000-0000-000000000001', E'k\t"', -7, '', E'\u0001\u007f\\ \U0001F600 e\u0301', E'\n', NULL, true, -32768,
    9223372036854775807, 12.50, 1e400, 'NaN', '-Infinity', 0.123456789012345678901, 0.1::float8 + 0.2, 'NaN', '-Infinity', 0.1, 1234.5, 'ab',
    '\x00ff27', '2026-11-22 12:00:00.123456+00', 'infinity', '0044-03-15 BC', '1 year 2 days 03:04:05.6', '12:00:00+02',
    '[2026-01-01 00:00:00+00,)', '{{1,NULL},{3,4}}', ARRAY[NULL, '', 'NULL', '"'], 'Ä', ROW(1, 'x "y"'), ARRAY[ROW(NULL, '')::pair], 5, '101',
    '2001:db8::/32', '(0.1,-2)', 'a:1 b:2', '{"b": 1, "a" : [1.10, 1e2], "b": 2}', '{"z": {"aa": 18446744073709551616, "b": 1e20}, "A": []}')"#;

/// `ROW` after the update, but for `huge`, and with `null` for what is personal.
const EXPECTED: &str = r#"{
    "tenant_id": "00000000-0000-0000-0000-000000000001", "key_a": "k\t\"", "key_b": -7, "a/b~c": null, "q\"'": null,
    "ééééééééééééééééééééééééééééééé1": "\n", "unset": null, "flag": true, "small": -32768, "large": 9223372036854775807, "dec": 12.50,
    "huge": "", "nan": "NaN", "inf": "-Infinity", "precise": "0.123456789012345678901", "double": 0.30000000000000004,
    "dnan": "NaN", "dinf": "-Infinity", "single": 0.1, "dollars": "$1,234.50", "padded": "ab   ", "bytes": "\\x00ff27",
    "at": "2026-11-22T12:00:00.123456+00:00", "never": "infinity", "old": "0044-03-15 BC", "span": "P1Y2DT3H4M5.6S",
    "clock": "12:00:00+02", "during": "[\"2026-01-01 00:00:00+00\",)", "nums": [[1, null], [3, 4]], "texts": [null, "", "NULL", "\""],
    "mood": "Ä", "couple": {"a": 1, "b c": "x \"y\""}, "couples": [{"a": null, "b c": ""}], "price": 5, "bits": "101",
    "addr": "2001:db8::/32", "place": "(0.1,-2)", "words": "'a':1 'b':2", "plain": {"a": [1.10, 100], "b": 2},
    "doc": {"A": [], "z": {"aa": "18446744073709551616", "b": 1e20}}, "sum": -14}"#;

#[sqlx::test(migrations = false)]
async fn values_of_every_type_are_recorded_whatever_the_session_is_set_to(pool: PgPool) {
    install(&pool).await;
    let mut attacher = connect(&pool, ATTACHER).await;
    sqlx::raw_sql(HOSTILE).execute(&mut attacher).await.unwrap();
    let capture = Capture::table("T\"able é").schema("S \"ä").personal(["a/b~c", "q\"'"]);
    assert!(attach(&mut attacher, &capture).await.unwrap());
    assert!(!attach(&mut attacher, &capture).await.unwrap());
    let settings = "SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET intervalstyle = 'sql_standard';
        SET bytea_output = 'escape'; SET extra_float_digits = -10; SET search_path = pg_temp, public;";
    sqlx::raw_sql(settings).execute(&mut attacher).await.unwrap();
    sqlx::raw_sql(ROW).execute(&mut attacher).await.unwrap();
    sqlx::raw_sql("UPDATE \"S \"\"ä\".\"T\"\"able é\" SET \"a/b~c\" = NULL").execute(&mut attacher).await.unwrap();

    let mut superuser = pool.acquire().await.unwrap();
    let (action, _, after, changes, paths, values) = newest(&mut superuser).await;
    assert_eq!(action, "T\"able é.update");
    assert_eq!(changes.as_deref(), Some(r#"["/a~1b~0c"]"#));
    assert_eq!(paths, ["after/a~1b~0c", "after/q\"'", "before/a~1b~0c", "before/q\"'"]);
    let hard = "\"\\u0001\u{7f}\\\\ \u{1F600} e\u{301}\"".as_bytes();
    assert_eq!(values, [b"null", hard, b"\"\"", hard]);
    let mut expected: Value = serde_json::from_str(EXPECTED).unwrap();
    expected["huge"] = format!("1{}", "0".repeat(400)).into();
    let text = after.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    // Digits are kept, members are in order, and there is no white space.
    assert!(text.contains(r#""dec":12.50,"#) && text.contains(r#""plain":{"a":[1.10,100],"b":2}"#), "{text}");
    assert!(text.contains(r#""z":{"aa":"18446744073709551616","b":100000000000000000000}"#), "{text}");
    let keys: std::collections::BTreeSet<_> = expected.as_object().unwrap().keys().collect();
    let members: Vec<_> = keys.into_iter().map(|key| format!("{}:", json!(key))).collect();
    let places: Vec<_> = members.iter().map(|member| text.find(member.as_str()).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let all = sealed(&pool).await;
    assert_eq!(all, ["T\"able é.insert [-7,\"k\\t\\\"\"]", "T\"able é.update [-7,\"k\\t\\\"\"]"]);
    sqlx::raw_sql("DROP TABLE \"S \"\"ä\".\"T\"\"able é\"").execute(&mut attacher).await.unwrap();
    assert!(detach(&mut attacher, &capture).await.unwrap());
    assert_eq!(second_opinion_of(&mut superuser).await, json!([]));
}

#[sqlx::test(migrations = false)]
async fn what_an_entry_cannot_hold_is_its_length_and_hash(pool: PgPool) {
    install(&pool).await;
    let mut attacher = connect(&pool, ATTACHER).await;
    let table = "CREATE TABLE files (tenant_id uuid NOT NULL, id text PRIMARY KEY, body text, secret text, doc jsonb)";
    sqlx::raw_sql(table).execute(&mut attacher).await.unwrap();
    attach(&mut attacher, &Capture::table("files").personal(["secret"])).await.unwrap();
    let (long, id) = ("é\"".repeat(8 << 20 >> 1), "k".repeat(300));
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let insert = "INSERT INTO files VALUES ($1, $2, $3, $4, $5::text::jsonb)";
    let insert = sqlx::query(insert).bind(Uuid::from(tenant(1))).bind(&id).bind(&long).bind(&long).bind(nested(5000));
    insert.execute(&mut attacher).await.unwrap();
    let deep = "UPDATE files SET doc = $1::text::jsonb, body = body || '.', secret = ''";
    sqlx::query(deep).bind(nested(89)).execute(&mut attacher).await.unwrap();
    sqlx::query("UPDATE files SET doc = $1::text::jsonb").bind(nested(90)).execute(&mut attacher).await.unwrap();
    assert_eq!(sealed(&pool).await.len(), 3);
    let [insert, update, deeper] = log(&pool).await.try_into().unwrap();
    let digest = |text: &str| json!({"bytes": text.len(), "sha256": hex::encode(Sha256::digest(text))});
    let after = insert.after.unwrap();
    assert_eq!(
        (&after["body"], &after["secret"], &after["doc"]),
        (&digest(&long), &digest(&long), &digest(&nested(5000)))
    );
    assert_eq!(update.changes, ["/body/bytes", "/body/sha256", "/doc", "/secret"]);
    assert_eq!(update.after.unwrap()["doc"], serde_json::from_str::<Value>(&nested(89)).unwrap());
    assert_eq!(deeper.after.unwrap()["doc"], digest(&nested(90)));
    assert_eq!(update.entity_id.unwrap(), format!("sha256:{}", hex::encode(Sha256::digest(&id))));

    // More columns of that size than an entry has room for: the change does not happen.
    let wide = "
        CREATE TABLE wide (tenant_id uuid NOT NULL, id int PRIMARY KEY);
        DO $$ BEGIN FOR n IN 1..70 LOOP EXECUTE format('ALTER TABLE wide ADD c%s text DEFAULT repeat(''x'', 16000)', n); END LOOP; END $$;";
    sqlx::raw_sql(wide).execute(&mut attacher).await.unwrap();
    attach(&mut attacher, &Capture::table("wide")).await.unwrap();
    let row = "INSERT INTO wide VALUES ('00000000-0000-0000-0000-000000000001', 1)";
    let refused = sqlx::raw_sql(row).execute(&mut attacher).await;
    assert_eq!(sqlstate(refused), "54000");
    assert_eq!(sealed(&pool).await.len(), 3);
}

#[sqlx::test(migrations = false)]
async fn a_virtual_column_is_left_out(pool: PgPool) {
    let version: i32 =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&pool).await.unwrap();
    if version < 180_000 {
        return; // There are none before PostgreSQL 18.
    }
    install(&pool).await;
    let mut attacher = connect(&pool, ATTACHER).await;
    let table =
        "CREATE TABLE t (tenant_id uuid NOT NULL, id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL)";
    sqlx::raw_sql(table).execute(&mut attacher).await.unwrap();
    attach(&mut attacher, &Capture::table("t")).await.unwrap();
    let row = "INSERT INTO t (tenant_id, id) VALUES ('00000000-0000-0000-0000-000000000001', 1)";
    sqlx::raw_sql(row).execute(&mut attacher).await.unwrap();
    assert_eq!(sealed(&pool).await, ["t.insert 1"]);
    assert_eq!(log(&pool).await[0].after.as_ref().unwrap().as_object().unwrap().len(), 2);
}

#[sqlx::test(migrations = false)]
async fn salts_are_drawn_anew_and_an_altered_capture_is_found(pool: PgPool) {
    crate::capture::captured(&pool).await;
    let rows =
        "INSERT INTO loads SELECT '00000000-0000-0000-0000-000000000001', n, 'Cruz' FROM generate_series(1, 20) n;
        UPDATE loads SET rate = 1";
    crate::capture::work(&pool, rows).await;
    let distinct: (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT s.salt), count(DISTINCT c.hash) FROM stockade.audit_payload p JOIN stockade.audit_entry e USING (entry_id),
            unnest(p.salts, e.commitments) AS s (salt, hash), LATERAL (SELECT s.hash) c WHERE octet_length(s.salt) = 32",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(distinct, (60, 60, 60));
    sealed(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let forgery = "UPDATE stockade.audit_entry SET after = replace(after::text, '\"rate\":1.00', '\"rate\":2.00')::json
        WHERE action = 'load.update' AND entity_id = '5'";
    let mut tx = superuser.begin().await.unwrap();
    assert_eq!(sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap().rows_affected(), 1);
    tx.commit().await.unwrap();
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(25), stockade_audit_chain::Finding::ContentAltered)]);
}
