//! Every test that `docs/asvs.md` and `docs/timeouts.md` name exists, and is a test.

use std::{collections::BTreeSet, fs, path::Path};

/// The names of functions in the `.rs` files of tests and behind `#[cfg(test)]`, and of the files themselves, which are what `tests/ui` names.
fn names(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::names(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let tests =
                if path.components().any(|part| part.as_os_str() == "src") && !["tests", "vectors"].contains(&name) {
                    text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests)
                } else {
                    names.insert(name.to_owned());
                    text.as_str()
                };
            let functions = tests.split("fn ").skip(1);
            names.extend(functions.filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned));
        }
    }
}

/// The names of tests in a line: what has an underscore, and nothing but letters, digits and underscores.
fn tests_of(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains('_') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[test]
fn a_test_stands_behind_every_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    names(&root.join("src"), &mut known);
    names(&root.join("tests"), &mut known);
    for (document, least) in [("docs/asvs.md", 80), ("docs/timeouts.md", 25)] {
        let table = fs::read_to_string(root.join(document)).unwrap();
        let mut named = 0;
        for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What")) {
            let settings = ["`pending_life`", "`refusal_floor`", "`request_reset`"];
            for name in tests_of(line).filter(|name| !settings.contains(&format!("`{name}`").as_str())) {
                assert!(known.contains(name), "no test `{name}`: {line}");
                named += 1;
            }
        }
        assert!(named > least, "the table is read: {named}");
    }
}
