use super::*;
use crate::declaration::{by, date, periods};
use crate::roles::Roles;

fn resolve(schema: &Schema) -> Model {
    Model::resolve(schema).unwrap()
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let lines = |schema: Schema| {
        schema
            .append_only("note")
            .app_may("loads", [Privilege::Select])
            .tenant_table("loads", by("org"))
            .tenant_table("note", by("org"))
    };
    let model = resolve(&lines(Schema::new("s", Roles::for_app("s"))));
    assert_eq!(model.tables.len(), 2);
    let note = model.table("note").unwrap();
    assert_eq!(note.tenant_column().unwrap().as_str(), "org");
    assert_eq!(note.app_may, [Privilege::Select, Privilege::Insert].into());
    assert_eq!(model.table("loads").unwrap().app_may, [Privilege::Select].into());
}

#[test]
fn a_table_named_only_by_a_guard_is_a_tenants() {
    let schema = Schema::new("s", Roles::for_app("s")).append_only("note").period_guard(
        "posting",
        date("day"),
        periods("period"),
    );
    let model = resolve(&schema);
    for table in ["note", "posting", "period"] {
        assert_eq!(model.table(table).unwrap().tenant_column().unwrap().as_str(), "tenant_id", "{table}");
    }
}
