//! The description of the API for people: one page, made of the OpenAPI document, without scripts.
//!
//! Invariant: what stands on it was escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// Made once: the description is that of the build.
pub(crate) static PAGE: LazyLock<String> = LazyLock::new(|| {
    let description = serde_json::from_str(&crate::openapi()).unwrap_or_default();
    page(&description)
});

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>API - Antiphon</title><style>\
    :root{color-scheme:light dark}body{font:14px/20px system-ui,sans-serif;max-width:960px;\
    margin:0 auto;padding:16px}h2{margin-top:32px;text-transform:capitalize}\
    details{border-top:1px solid #8884;padding:8px 0}summary{cursor:pointer}\
    code{font:13px/20px ui-monospace,monospace;overflow-wrap:anywhere}\
    b.m{display:inline-block;min-width:64px}table{border-collapse:collapse;margin:8px 0}\
    td{padding:2px 16px 2px 0;vertical-align:top}p{margin:8px 0}</style>";

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn page(description: &Value) -> String {
    let mut groups: BTreeMap<&str, String> = BTreeMap::new();
    for (path, methods) in members(description, "paths") {
        for (method, operation) in methods.as_object().into_iter().flat_map(Map::iter) {
            let tag = operation["tags"][0].as_str().unwrap_or("other");
            show(groups.entry(tag).or_default(), method, path, operation);
        }
    }
    let mut out = HEAD.to_owned();
    let info = &description["info"];
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<h1>{}</h1><p>{}</p><p>Programs use an API key (<code>Authorization: Bearer ...</code>, \
         <code>antiphon api-key create</code>). The document for machines: \
         <a href=\"/api/openapi.json\">openapi.json</a>.</p>",
        escaped(text(info, "title")),
        escaped(text(info, "description"))
    );
    for (tag, operations) in groups {
        let _ = write!(out, "<h2>{}</h2>{operations}", escaped(tag));
    }
    out.push_str("<h2>Shapes</h2>");
    for (name, schema) in members(&description["components"], "schemas") {
        shape(&mut out, name, schema);
    }
    out
}

fn show(out: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        out,
        "<details><summary><b class=\"m\">{}</b> <code>{}</code> {}</summary><p>{}</p><table>",
        escaped(&method.to_uppercase()),
        escaped(path),
        escaped(text(operation, "summary")),
        escaped(text(operation, "description"))
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        row(out, text(parameter, "in"), text(parameter, "name"), text(parameter, "description"));
    }
    for (kind, body) in members(&operation["requestBody"], "content") {
        row(out, "body", kind, &kind_of(&body["schema"]));
    }
    for (status, response) in members(operation, "responses") {
        let kinds = members(response, "content").map(|(_, content)| kind_of(&content["schema"]));
        let kinds: Vec<String> = kinds.collect();
        let told = format!("{} {}", text(response, "description"), kinds.join(", "));
        row(out, "answer", status, told.trim());
    }
    out.push_str("</table></details>");
}

fn row(out: &mut String, what: &str, name: &str, told: &str) {
    let (what, name, told) = (escaped(what), escaped(name), escaped(told));
    let _ = write!(out, "<tr><td>{what}</td><td><code>{name}</code></td><td>{told}</td></tr>");
}

/// A type in a few words.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = text(schema, "$ref").rsplit('/').next().filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let one_of = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema.get(*key)?.as_array());
    if let Some(kinds) = one_of {
        return kinds.iter().map(kind_of).collect::<Vec<_>>().join(" or ");
    }
    match (&schema["type"], &schema["items"], &schema["enum"]) {
        (_, _, Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        (_, items, _) if !items.is_null() => format!("list of {}", kind_of(items)),
        (Value::String(kind), _, _) => kind.clone(),
        (Value::Array(kinds), _, _) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn shape(out: &mut String, name: &str, schema: &Value) {
    let _ = write!(
        out,
        "<details><summary><code>{}</code> {}</summary><table>",
        escaped(name),
        escaped(text(schema, "description"))
    );
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (field, of) in members(schema, "properties") {
        let optional = if required.contains(&field.as_str()) { "" } else { ", may be left out" };
        row(out, &format!("{}{optional}", kind_of(of)), field, text(of, "description"));
    }
    if schema.get("properties").is_none() {
        row(out, &kind_of(schema), "", "");
    }
    out.push_str("</table></details>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_shape_is_on_the_page() {
        let description: Value = serde_json::from_str(&crate::openapi()).expect("our own");
        let page = &*PAGE;
        for (path, _) in members(&description, "paths") {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for (name, _) in members(&description["components"], "schemas") {
            assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
        }
    }

    #[test]
    fn what_stands_on_it_is_text() {
        let hostile = serde_json::json!({"info": {"title": "<script>\"&"}, "paths": {}});
        assert!(page(&hostile).contains("<h1>&lt;script&gt;&quot;&amp;</h1>"));
    }
}
