//! Builds the crate again when the web UI was built: its files are embedded.

fn main() {
    println!("cargo:rerun-if-changed=../../web/build");
}
