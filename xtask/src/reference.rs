//! docs/configuration.md and conf/bascule.schema.json: what may stand in a configuration, made of the very types that
//! read it (`proxy/daemon/src/config/raw*`), so that neither can say anything else.
//!
//! A key without a word on it is an error, and so is a fact that cannot be read. Whether a default, a range or a
//! `Restart.` is true is tried by a test beside the types.

mod page;
mod schema;
mod types;

use crate::step::{Failed, root};
use std::fs;

const PAGE: &str = "docs/configuration.md";
const SCHEMA: &str = "conf/bascule.schema.json";

/// Writes both, or says which differs from what stands there.
pub(crate) fn run(check: bool) -> Result<(), Failed> {
    let types = types::read(&root().join("proxy/daemon/src/config"))?;
    for (name, made) in [(PAGE, page::made(&types)?), (SCHEMA, schema::made(&types)?)] {
        let path = root().join(name);
        if !check {
            fs::write(&path, made).map_err(|e| format!("{name}: {e}"))?;
        } else if fs::read_to_string(&path).unwrap_or_default() != made {
            return Err(format!("{name} is not what the types say: run `cargo xtask reference`"));
        }
    }
    Ok(())
}
