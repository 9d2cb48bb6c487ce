//! Values for canary rows, by type.

use std::collections::BTreeMap;

use super::facts::{Check, Column, Facts};

/// Where the values of one probe begin, so that they meet none of the application's: random, from the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers(pub(super) u128);

impl Numbers {
    /// A number below `range`, which differs between variants.
    fn below(self, range: u64, variant: u32) -> u64 {
        let random = u64::try_from(self.0 % u128::from(range.max(1))).unwrap_or(0);
        (random + u64::from(variant)) % range.max(1)
    }

    fn hex(self, variant: u32) -> String {
        format!("{:032x}", self.0.wrapping_add(u128::from(variant) << 64))
    }
}

/// A value of the column's type as text, different for each variant; `None` for a type that this crate does not know.
pub(super) fn of(column: &Column, numbers: Numbers, variant: u32) -> Option<String> {
    match column.class.as_str() {
        "a" => return Some("{}".to_owned()),
        "e" => return column.label.clone(),
        "r" => return Some("empty".to_owned()),
        "m" => return Some("{}".to_owned()),
        _ => {}
    }
    let number = |base: u64, range: u64| {
        if column.unique { (base + numbers.below(range, variant)).to_string() } else { variant.to_string() }
    };
    let text = match column.base.as_str() {
        "int2" => number(20_000, 12_000),
        "int4" | "oid" => number(1_500_000_000, 500_000_000),
        "int8" => number(4_000_000_000_000_000_000, 1_000_000_000_000_000),
        "numeric" | "float4" | "float8" | "money" => number(1, 9),
        "bool" => "true".to_owned(),
        "text" | "varchar" | "bpchar" | "name" | "citext" => words(column, numbers, variant),
        "char" => "x".to_owned(),
        "uuid" => numbers.hex(variant),
        "date" => format!("{}-01-{:02}", 2001 + numbers.below(900, 0), 1 + variant),
        "timestamp" | "timestamptz" => format!("{}-01-01 00:00:{variant:02}", 2001 + numbers.below(900, 0)),
        "time" | "timetz" => format!("00:00:{variant:02}"),
        "interval" => format!("{variant} seconds"),
        // As long as a hash.
        "bytea" => format!("\\x{0}{0}", numbers.hex(variant)),
        "json" | "jsonb" => "{}".to_owned(),
        "xml" => "<x/>".to_owned(),
        "inet" | "cidr" => format!("10.{}.{}.{variant}", numbers.below(250, 0), numbers.below(240, 3)),
        "macaddr" => format!("08:00:2b:01:02:{variant:02x}"),
        "macaddr8" => format!("08:00:2b:01:02:03:04:{variant:02x}"),
        "bit" => "0".repeat(column_bits(column)),
        "varbit" => "1".to_owned(),
        "point" => format!("({variant},0)"),
        "line" => "{1,2,3}".to_owned(),
        "lseg" | "path" => "[(0,0),(1,1)]".to_owned(),
        "box" => "(1,1),(0,0)".to_owned(),
        "polygon" => "((0,0),(1,1),(1,0))".to_owned(),
        "circle" => "<(0,0),1>".to_owned(),
        "tsvector" | "tsquery" => "x".to_owned(),
        "pg_lsn" => format!("0/{variant}"),
        "jsonpath" => "$".to_owned(),
        "regclass" => "pg_catalog.pg_class".to_owned(),
        "regtype" => "pg_catalog.int4".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// Text of its own for each probe where it has to be unique, cut from the front to what fits.
fn words(column: &Column, numbers: Numbers, variant: u32) -> String {
    if !column.unique {
        return "x".to_owned();
    }
    let text = format!("probe{:016x}{variant}", numbers.below(u64::MAX, 0));
    let fits = column.max_chars.and_then(|chars| usize::try_from(chars).ok()).unwrap_or(text.len());
    let surplus = text.len().saturating_sub(fits);
    text.chars().skip(surplus).collect()
}

/// The length of a `bit(n)`, out of its type's name.
fn column_bits(column: &Column) -> usize {
    let digits: String = column.sql_type.as_str().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(1)
}

/// For the columns under a check: values out of the check's own text. Every round gives each column its next one.
pub(super) fn candidates(facts: &Facts) -> Vec<Vec<(String, String)>> {
    const ROUNDS: usize = 12;
    let mut offered: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Check { columns, definition } in &facts.checks {
        for column in columns.iter().filter_map(|name| facts.column(name)) {
            let values = constants(definition, is_number(column));
            offered.entry(column.name.as_str()).or_default().extend(values);
        }
    }
    let rounds = offered.values().map(Vec::len).max().unwrap_or(0).min(ROUNDS);
    let round = |number: usize| {
        let pick = |(column, values): (&&str, &Vec<String>)| {
            Some(((*column).to_owned(), values.get(number % values.len().max(1))?.clone()))
        };
        offered.iter().filter_map(pick).collect()
    };
    (0..rounds).map(round).collect()
}

fn is_number(column: &Column) -> bool {
    matches!(column.base.as_str(), "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money")
}

/// For a number: those of a check, and those beside them. For other types: the strings of a check, and strings of the lengths that
/// it names. Then a few that fit many checks.
fn constants(definition: &str, number: bool) -> Vec<String> {
    let parts: Vec<&str> = definition.split('\'').collect();
    let outside: Vec<&str> = parts.iter().step_by(2).copied().collect();
    let words = outside.join(" ");
    let words = words.split(|c: char| !(c.is_ascii_digit() || c == '_' || c.is_alphabetic()));
    let numbers = words.filter_map(|word| word.parse::<i64>().ok());
    if number {
        let beside = numbers.flat_map(|number| [number, number.saturating_add(1), number.saturating_sub(1)]);
        return beside.chain([1, 0, 2, 100]).map(|number| number.to_string()).collect();
    }
    let is_pattern = |text: &&str| text.contains(['^', '$', '[', '*', '+', '%', '\\']);
    let strings = parts.iter().skip(1).step_by(2).copied().filter(|text| !is_pattern(text)).map(str::to_owned);
    let lengths = numbers.filter_map(|length| usize::try_from(length).ok()).filter(|length| *length <= 64);
    let lengths: Vec<String> = lengths.map(|length| "A".repeat(length)).collect();
    strings.chain(lengths).chain(["AA", "aa", "1", "a@b.example", "https://a.example"].map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_come_out_of_strings_and_numbers() {
        let check =
            "CHECK ((status = ANY (ARRAY['open'::text, 'done'::text])) AND (n > 10) AND (code ~ '^[A-Z]{2}$'::text))";
        assert_eq!(constants(check, true).get(..3), Some(&["10", "11", "9"].map(str::to_owned)[..]));
        let strings = constants(check, false);
        assert_eq!(strings.get(..3), Some(&["open".to_owned(), "done".to_owned(), "A".repeat(10)][..]));
        assert!(strings.iter().all(|text| !text.contains('^')), "{strings:?}");
    }
}
