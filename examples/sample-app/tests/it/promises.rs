//! `FEATURES.md`, held to what there is: no page, test or step in it may be one that does not exist.

use std::{fs, path::Path};

use sample_app::web;

fn text(folder: &str) -> String {
    let mut all = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all += &fs::read_to_string(path).unwrap();
            }
        }
    }
    all
}

/// What stands between two of `mark` in a cell.
fn quoted(cell: &str, mark: char) -> Vec<&str> {
    cell.split(mark).skip(1).step_by(2).collect()
}

#[test]
fn every_promise_names_a_page_a_test_and_a_step_that_there_are() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FEATURES.md")).unwrap();
    let (tests, domain, tour) = (text("tests/it"), text("src/domain"), text("src/tour"));
    let routes: Vec<&str> = web::routes().iter().map(|route| route.path).collect();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Promise"))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect();
    assert!(rows.len() > 20, "{} promises", rows.len());
    for row in rows {
        let [promise, pages, named, steps] = &*row else { panic!("{row:?}") };
        let (pages, named, steps) = (quoted(pages, '`'), quoted(named, '`'), quoted(steps, '"'));
        assert!(!pages.is_empty() && !named.is_empty() && !steps.is_empty(), "{promise}");
        for page in pages {
            assert!(routes.contains(&page), "{promise}: no page {page}");
        }
        for test in named {
            let name = test.rsplit("::").next().unwrap();
            let there = |source: &str| source.contains(&format!("fn {name}("));
            assert!(there(&tests) || there(&domain), "{promise}: no test {test}");
        }
        for step in steps {
            assert!(tour.contains(&format!("(\"{step}\")")), "{promise}: no step {step}");
        }
    }
}
