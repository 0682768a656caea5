//! Nothing to build: the file makes cargo download the prebuilt `protoc` that `.cargo/protoc` looks for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
