//! Every test that `docs/asvs.md` names exists.

use std::{collections::BTreeSet, fs, path::Path};

/// The names of functions in `.rs` files and of the files themselves, which are what `tests/ui` names.
fn names(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::names(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
            let text = fs::read_to_string(&path).unwrap();
            let functions = text.split("fn ").skip(1);
            names.extend(functions.filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned));
        }
    }
}

#[test]
fn a_test_stands_behind_every_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    names(&root.join("src"), &mut known);
    names(&root.join("tests"), &mut known);
    let table = fs::read_to_string(root.join("docs/asvs.md")).unwrap();
    let mut named = 0;
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        for name in line.split('`').skip(1).step_by(2) {
            // Tests are the names with an underscore and nothing but letters, digits and underscores.
            if name.contains('_') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                assert!(known.contains(name), "no test `{name}`: {line}");
                named += 1;
            }
        }
    }
    assert!(named > 80, "the table is read: {named}");
}
