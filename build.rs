//! Puts the shipped rules into the program: every `rules/GROUP/NAME.yml`, by name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=rules");
    let mut list = String::from("&[\n");
    for folder in sorted(&root.join("rules"))?.iter().filter(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", folder.display());
        let group = name(folder);
        for file in sorted(folder)? {
            let file_name = name(&file);
            if file_name.ends_with(".yml") && !file_name.ends_with(".test.yml") {
                let shown = format!("rules/{group}/{file_name}");
                writeln!(
                    list,
                    "({shown:?}, {group:?}, include_str!({:?})),",
                    file.display().to_string()
                )
                .map_err(io::Error::other)?;
            }
        }
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("shipped_rules.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
