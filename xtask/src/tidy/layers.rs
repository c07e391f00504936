//! The dependency table: what `layers.toml` allows against what the Cargo.toml files name.
//!
//! A crate that the table does not know is a fault, and so is a table that contradicts itself.

use std::collections::BTreeMap;

use toml::Table;

use super::Faults;
use crate::tree::Tree;

const TABLE: &str = "xtask/layers.toml";

/// What the table says of one crate.
#[derive(Debug)]
pub(super) struct Layer {
    layer: i64,
    pub(super) pure: bool,
    uses: Vec<String>,
    tests: Vec<String>,
}

/// Reads the table; `Err` names what cannot be read.
pub(super) fn table(tree: &Tree) -> Result<BTreeMap<String, Layer>, String> {
    let text = tree.text(TABLE).unwrap_or_default();
    let parsed: Table = text.parse().map_err(|error| format!("{error}"))?;
    parsed.iter().map(|(name, value)| Ok((name.clone(), layer(name, value)?))).collect()
}

fn layer(name: &str, value: &toml::Value) -> Result<Layer, String> {
    let names = |key: &str| -> Result<Vec<String>, String> {
        let Some(list) = value.get(key) else { return Ok(Vec::new()) };
        let list = list.as_array().ok_or(format!("{name}.{key} is no list"))?;
        Ok(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
    };
    Ok(Layer {
        layer: value
            .get("layer")
            .and_then(toml::Value::as_integer)
            .ok_or(format!("{name} has no layer"))?,
        pure: value.get("pure").and_then(toml::Value::as_bool).unwrap_or(false),
        uses: names("uses")?,
        tests: names("tests")?,
    })
}

/// The rule.
pub(super) fn check(tree: &Tree, faults: &mut Faults) {
    let layers = match table(tree) {
        Ok(layers) => layers,
        Err(what) => return faults.add(TABLE, 0, what),
    };
    check_table(&layers, faults);
    for (path, text) in tree.texts("", &["Cargo.toml"]) {
        let folder = path.strip_suffix("/Cargo.toml").unwrap_or_default();
        if folder.is_empty() {
            continue;
        }
        let name = folder.strip_prefix("crates/").unwrap_or(folder);
        match (layers.get(name), text.parse::<Table>()) {
            (None, _) => faults.add(path, 0, format!("{name} is not in {TABLE}")),
            (_, Err(error)) => faults.add(path, 0, format!("cannot be read: {error}")),
            (Some(layer), Ok(manifest)) => {
                check_manifest(path, &manifest, (name, layer), &layers, faults);
            }
        }
    }
}

/// Dependencies point down, and only a pure crate may be used by a pure one.
fn check_table(layers: &BTreeMap<String, Layer>, faults: &mut Faults) {
    for (name, layer) in layers {
        for used in layer.uses.iter().chain(&layer.tests) {
            match layers.get(used) {
                None => faults.add(TABLE, 0, format!("{name} uses {used}, which has no entry")),
                Some(other) if other.layer >= layer.layer => {
                    faults.add(TABLE, 0, format!("{name} uses {used}, which is no layer below"));
                }
                Some(other) if layer.pure && !other.pure => {
                    faults.add(TABLE, 0, format!("{name} is pure and uses {used}, which is not"));
                }
                Some(_) => {}
            }
        }
    }
}

fn check_manifest(
    path: &str,
    manifest: &Table,
    (name, layer): (&str, &Layer),
    layers: &BTreeMap<String, Layer>,
    faults: &mut Faults,
) {
    let named = manifest.get("package").and_then(|package| package.get("name"));
    if named.and_then(toml::Value::as_str) != Some(name) {
        faults.add(path, 0, format!("the crate in this folder must be called {name}"));
    }
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let places = std::iter::once(manifest)
        .chain(targets.into_iter().flat_map(Table::values).filter_map(toml::Value::as_table));
    for place in places {
        for (section, tests) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            let Some(dependencies) = place.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (key, value) in dependencies {
                let used = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
                let allowed = layer.uses.iter().any(|other| other == used)
                    || tests && (used == name || layer.tests.iter().any(|other| other == used));
                if layers.contains_key(used) && !allowed {
                    faults.add(path, 0, format!("{section}: {name} may not use {used}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    const LAYERS: &str = "[model]\nlayer = 0\npure = true\nuses = []\n\
        [floor]\nlayer = 2\npure = true\nuses = [\"model\"]\n\
        [store]\nlayer = 3\nuses = [\"model\"]\n\
        [hub]\nlayer = 4\nuses = [\"floor\", \"store\"]\ntests = [\"model\"]\n";

    fn floor_with(dependencies: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"floor\"\n{dependencies}");
        faults("layers", &[("xtask/layers.toml", LAYERS), ("crates/floor/Cargo.toml", &manifest)])
    }

    #[test]
    fn dependencies_follow_the_table() {
        assert!(floor_with("[dependencies]\nmodel.workspace = true\nserde = \"1\"\n").is_empty());
        for bad in [
            "[dependencies]\nstore.workspace = true\n",
            "[dev-dependencies]\nhub = { path = \"../hub\" }\n",
            "[build-dependencies]\nstore = { workspace = true }\n",
            "[target.'cfg(unix)'.dependencies]\nx = { package = \"store\", path = \"../store\" }\n",
        ] {
            assert_eq!(floor_with(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn tests_may_use_more() {
        let hub = "[package]\nname = \"hub\"\n[dev-dependencies]\nmodel.workspace = true\n";
        let files = [("xtask/layers.toml", LAYERS), ("crates/hub/Cargo.toml", hub)];
        assert!(faults("layers", &files).is_empty());
        let hub = hub.replace("dev-dependencies", "dependencies");
        let files = [("xtask/layers.toml", LAYERS), ("crates/hub/Cargo.toml", hub.as_str())];
        assert_eq!(faults("layers", &files).len(), 1);
    }

    #[test]
    fn the_table_points_down() {
        for (bad, what) in [
            ("[a]\nlayer = 1\nuses = [\"b\"]\n[b]\nlayer = 1\nuses = []\n", "no layer below"),
            ("[a]\nlayer = 1\nuses = [\"b\"]\n", "has no entry"),
            (
                "[a]\nlayer = 1\npure = true\nuses = [\"b\"]\n[b]\nlayer = 0\nuses = []\n",
                "which is not",
            ),
            ("[a]\nuses = []\n", "has no layer"),
        ] {
            let found = faults("layers", &[("xtask/layers.toml", bad)]);
            assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
        }
        let files =
            [("xtask/layers.toml", LAYERS), ("crates/new/Cargo.toml", "[package]\nname = \"new\"")];
        assert!(faults("layers", &files)[0].contains("new is not in"));
    }
}
