//! The tenant fence begins in the schema: every table carries `tenant_id`.
//!
//! Tables of the whole house are named in the migration itself:
//! `-- tidy: house-wide: node, setup_token`.

use super::Faults;
use crate::tree::Tree;

/// The rule.
pub(super) fn tenant_id(tree: &Tree, faults: &mut Faults) {
    for (path, text) in tree.texts("crates/store/migrations/", &[".sql"]) {
        let house: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("-- tidy: house-wide:"))
            .flat_map(|names| names.split(',').map(str::trim))
            .collect();
        for (line, name, body) in tables(&without_comments(text)) {
            let fenced = body.split(|c: char| !c.is_alphanumeric() && c != '_');
            if !fenced.into_iter().any(|word| word == "tenant_id") && !house.contains(&&*name) {
                faults.add(path, line, format!("table {name} has no tenant_id"));
            }
        }
    }
}

/// SQL with its `--` comments blanked, line numbers kept.
fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("--").next().unwrap_or_default().to_lowercase();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The tables that a script creates: line, name, and the text up to the end of the statement.
fn tables(sql: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for create in ["create table ", "create virtual table "] {
        for (at, _) in sql.match_indices(create) {
            let rest = sql[at + create.len()..].trim_start();
            let rest = rest.strip_prefix("if not exists").unwrap_or(rest).trim_start();
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '"');
            let name = rest[..end.unwrap_or(rest.len())].trim_matches('"').to_owned();
            let body = rest.split(';').next().unwrap_or_default().to_owned();
            found.push((sql[..at].matches('\n').count() + 1, name, body));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn every_table_has_a_tenant() {
        let sql = "-- tidy: house-wide: node, other\n\
            CREATE TABLE node (id TEXT);\n\
            CREATE TABLE IF NOT EXISTS call (\n  tenant_id TEXT NOT NULL,\n  id TEXT);\n\
            create table \"leak\" (id TEXT); -- tenant_id\n\
            CREATE TABLE second (my_tenant_id TEXT);\n";
        let found = faults("tenant-id", &[("crates/store/migrations/0001_first.sql", sql)]);
        let place = "crates/store/migrations/0001_first.sql";
        assert_eq!(
            found,
            [
                format!("{place}:6: table leak has no tenant_id [tenant-id]"),
                format!("{place}:7: table second has no tenant_id [tenant-id]"),
            ]
        );
    }
}
