//! The checked-in description is what the program serves.

use std::path::Path;

#[test]
fn the_description_is_checked_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/openapi.json");
    let now = api::openapi() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &now).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(known == now, "web/openapi.json is old: run this test with UPDATE=1 and commit it");
}
