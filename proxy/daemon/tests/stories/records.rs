//! What is written down of calls that are over.

use super::world::{Place, call, eventually, hang_up};
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn rows_of_a_csv_go_on_in_a_new_file_with_its_own_names_when_the_old_one_was_moved_away() {
    let (place, folder) = (Place(101), folder("csv"));
    let (file, away) = (folder.join("calls.csv"), folder.join("away.csv"));
    let records = format!("[records]\nformat = \"csv\"\nfile = {file:?}\nsync = \"10ms\"");
    let appliance = place.start(&records);
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let first = call(place, &carrier, &edge, "first", "+4930123456");
    hang_up(place, &carrier, &edge, &first);
    eventually("the first row", || read(&file).lines().count() == 2);

    std::fs::rename(&file, &away).unwrap();
    appliance.reopen_files();
    eventually("a new file", || read(&file).lines().count() == 1);
    let second = call(place, &carrier, &edge, "second", "+4930123456");
    hang_up(place, &carrier, &edge, &second);
    eventually("the second row", || read(&file).lines().count() == 2);
    appliance.stop();

    for (file, call_id) in [(&away, "first"), (&file, "second")] {
        let text = read(file);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let [names, values] = &rows[..] else { panic!("one call and the names: {text}") };
        let value = |name: &str| values[names.iter().position(|n| *n == name).unwrap()];
        assert_eq!((value("a_call_id"), value("called")), (call_id, "+4930123456"));
        assert_eq!((value("close"), value("code"), value("last_target")), ("bye_from_a", "200", "north-1"));
        assert!(!value("answered").is_empty() && value("reject").is_empty());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
