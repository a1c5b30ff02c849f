//! What `bascule check` says of host names.

use super::report::{print, table};
use crate::complain::say;
use bascule::config::Loaded;
use bascule::dns::{Found, look_up};
use proxy_core::PlaceView;

/// `false` if one that was looked up has no address that could be used.
pub(crate) fn show(loaded: &Loaded, resolve: bool) -> bool {
    let named = &loaded.config.named;
    if named.is_empty() {
        return true;
    }
    if !resolve {
        let count = named.len();
        let names = if count == 1 { "1 neighbour is".to_owned() } else { format!("{count} neighbours are") };
        print(&format!("\n{names} configured by name; --resolve looks them up"));
        return true;
    }
    let found = match look_up(loaded) {
        Ok(found) => found,
        Err(error) => {
            say(&format!("bascule: names cannot be looked up: {error}"));
            return false;
        }
    };
    let Found { config, places, disputed } = found;
    let rows = named.iter().flat_map(|named| {
        let view = places.iter().find(|view| view.place == named.place);
        rows(&named.name, view)
    });
    print("");
    table(&["target", "name", "address", "host", "rank", "weight"], rows);
    for one in &disputed {
        let whose = one.dispute.as_str();
        say(&format!("`{}` is {}, which is {whose}: it would not be used", one.target, one.address));
    }
    let has_target = |name: &str| {
        let prefix = format!("{name}/");
        config.targets.iter().any(|target| target.name.starts_with(&prefix))
    };
    named.iter().all(|named| has_target(&named.name))
}

fn rows(target: &str, view: Option<&PlaceView>) -> Vec<[String; 6]> {
    let Some(view) = view else { return Vec::new() };
    let name = view.place.to_string();
    if view.addresses.is_empty() {
        let why = view.why.map_or("", |why| why.as_str()).to_owned();
        return vec![[target.to_owned(), name, why, String::new(), String::new(), String::new()]];
    }
    let one = |at: &proxy_core::AddressView| {
        let (host, rank, weight) = (at.host.to_string(), at.rank.to_string(), at.weight.to_string());
        [target.to_owned(), name.clone(), at.address.to_string(), host, rank, weight]
    };
    view.addresses.iter().map(one).collect()
}
