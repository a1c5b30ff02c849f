//! The schema that is made of the configuration's types says of whole files what the types say of them.

use jsonschema::Validator;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn conf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf")
}

fn schema() -> Validator {
    let text = fs::read_to_string(conf().join("bascule.schema.json")).expect("the schema");
    jsonschema::validator_for(&serde_json::from_str(&text).expect("JSON")).expect("a schema")
}

fn toml(text: &str) -> Value {
    toml::from_str(text).expect("TOML")
}

/// Every configuration below a folder, `bad` and answers to `bascule init` aside.
fn configurations(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("bad") {
            found.extend(configurations(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml")
            && !path.ends_with("answers.toml")
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_example_is_as_the_schema_has_it() {
    let (schema, files) = (schema(), configurations(&conf()));
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let file_text = fs::read_to_string(&file).expect("a file");
        let errors: Vec<String> =
            schema.iter_errors(&toml(&file_text)).map(|e| format!("{}: {e}", e.instance_path)).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}

#[test]
fn the_schema_refuses_what_is_no_key_no_value_and_out_of_its_range() {
    let (schema, good) = (schema(), fs::read_to_string(conf().join("bascule.toml")).expect("the example"));
    assert!(schema.is_valid(&toml(&good)));
    for slip in [
        "[probe]\nintervall = \"200ms\"",
        "[probe]\ninterval = 200",
        "[probe]\ninterval = \"200 ms\"",
        "[probe]\nfall = 0",
        "[log]\nformat = \"xml\"",
        "[[trunk]]\nsources = [\"192.0.2.1\"]",
    ] {
        assert!(!schema.is_valid(&toml(slip)), "{slip}");
    }
}
