//! The corpus of every target runs in a plain test, whole and cut short at every byte.

use std::path::Path;

fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is part of the repository") {
        let path = entry.expect("a folder entry").path();
        let bytes = std::fs::read(&path).expect("a seed");
        seeds += 1;
        for end in 0..=bytes.len() {
            // Shown when it fails.
            eprintln!("{}, {end} bytes", path.display());
            target(&bytes[..end]);
        }
    }
    assert!(seeds >= 3, "{name} has {seeds} seeds");
}

#[test]
fn no_seed_breaks_the_message_target() {
    run("message", bascule_fuzz::message);
}

#[test]
fn no_seed_breaks_the_stream_target() {
    run("stream", bascule_fuzz::stream);
}

#[test]
fn no_seed_breaks_the_uri_target() {
    run("uri", bascule_fuzz::uri);
}

#[test]
fn no_seed_breaks_the_sdp_target() {
    run("sdp", bascule_fuzz::sdp);
}

#[test]
fn no_seed_breaks_the_media_target() {
    run("media", bascule_fuzz::media);
}

#[test]
fn no_seed_breaks_the_rtcp_target() {
    run("rtcp", bascule_fuzz::rtcp);
}

#[test]
fn no_seed_breaks_the_address_target() {
    run("address", bascule_fuzz::address);
}

#[test]
fn no_seed_breaks_the_identity_target() {
    run("identity", bascule_fuzz::identity);
}

#[test]
fn no_seed_breaks_the_auth_target() {
    run("auth", bascule_fuzz::auth);
}

#[test]
fn no_seed_breaks_the_shard_target() {
    run("shard", bascule_fuzz::shard);
}

#[test]
fn no_two_seeds_agree_on_what_cannot_be_offered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/sdp");
    let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.expect("an entry").path());
    let entries = std::fs::read_dir(&folder).expect("the corpus is part of the repository");
    let seeds: Vec<Vec<u8>> = entries.map(|entry| read(entry).expect("a seed")).collect();
    for one in &seeds {
        for other in &seeds {
            // The target compares all lines of one description: the other's are put behind.
            let lines = other.windows(3).position(|w| w == b"\nm=").map_or(&b""[..], |at| &other[at + 1..]);
            bascule_fuzz::sdp(&[&one[..], b"\r\n", lines].concat());
        }
    }
}
