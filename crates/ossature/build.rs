//! Tells the program which sources it was built from, so that what an earlier build of it made of the same rows is not
//! taken for what this one would make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lock = crates.join("../Cargo.lock");
    let mut files = vec![lock.clone()];
    for folder in sorted(&crates)? {
        println!("cargo::rerun-if-changed={}", folder.join("src").display());
        collect(&folder.join("src"), &mut files)?;
        let manifest = folder.join("Cargo.toml");
        println!("cargo::rerun-if-changed={}", manifest.display());
        files.push(manifest);
    }
    println!("cargo::rerun-if-changed={}", lock.display());
    let mut digest = Sha256::new();
    // Outside of the workspace there is nothing but this crate to be told.
    for file in files.iter().filter(|file| file.is_file()) {
        let name = file.strip_prefix(&crates).unwrap_or(file);
        let (name, bytes) = (name.to_string_lossy(), fs::read(file)?);
        for part in [name.as_bytes(), &bytes] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    let digest = digest.finalize();
    let digest = digest
        .iter()
        .take(6)
        .fold(0_u64, |digest, byte| digest << 8 | u64::from(*byte));
    println!("cargo::rustc-env=OSSATURE_SOURCES={digest:012x}");
    Ok(())
}

/// What lies in a folder, in order of name; nothing where there is none.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut entries: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    entries.sort();
    Ok(entries)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in sorted(folder)? {
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
