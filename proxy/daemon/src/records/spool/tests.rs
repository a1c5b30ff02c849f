use super::*;

fn place(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("bascule-spool-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn put(writer: &mut Writer, numbers: std::ops::Range<u32>) {
    for n in numbers {
        writer.take(u64::from(n), &format!("k-{n}"), format!("{{\"n\":{n}}}\n").as_bytes()).unwrap();
        writer.flush().unwrap();
    }
}

/// Deliver everything; the numbers in order.
fn drain(reader: &mut Reader) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(batch) = reader.load(7).unwrap() {
        numbers.extend(batch.entries.iter().map(|e| e.written_ms));
        reader.done(&batch).unwrap();
    }
    numbers
}

#[test]
fn what_was_not_noted_as_delivered_is_read_again_after_a_crash_and_nothing_else() {
    let folder = place("crash");
    let (spool, mut writer, mut reader) = open(&folder, 1 << 30).unwrap();
    put(&mut writer, 0..20);
    let batch = reader.load(5).unwrap().unwrap();
    assert_eq!(batch.entries.len(), 5);
    reader.done(&batch).unwrap();
    let sent = reader.load(5).unwrap().unwrap();
    assert_eq!(sent.entries[0].key, "k-5");
    // Sent, perhaps taken, not noted; and the process is gone without a word.
    drop((spool, writer, reader));

    let (_spool, mut writer, mut reader) = open(&folder, 1 << 30).unwrap();
    put(&mut writer, 20..23);
    assert_eq!(drain(&mut reader), (5..23).collect::<Vec<_>>());
    assert!(reader.load(5).unwrap().is_none());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_entry_that_a_crash_has_cut_is_cut_off_and_what_comes_later_is_read() {
    for left in [1, 7, 8, 20] {
        let folder = place("torn");
        let (spool, mut writer, reader) = open(&folder, 1 << 30).unwrap();
        put(&mut writer, 0..3);
        let (file, length) = spool.end().unwrap();
        drop((spool, writer, reader));
        let mut torn = Vec::new();
        assert!(Entry::put(3, "k-3", b"{\"n\":3}\n", &mut torn));
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.extend_from_slice(&torn[..left]);
        std::fs::write(&file, bytes).unwrap();

        let (_spool, mut writer, mut reader) = open(&folder, 1 << 30).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), length);
        put(&mut writer, 4..6);
        assert_eq!(drain(&mut reader), [0, 1, 2, 4, 5]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_damaged_segment_costs_what_is_behind_the_damage_and_not_the_next_segment() {
    let folder = place("damaged");
    let (spool, mut writer, reader) = open(&folder, 1 << 30).unwrap();
    put(&mut writer, 0..10);
    let (file, _) = spool.end().unwrap();
    drop((spool, writer, reader));
    let (_spool, mut writer, mut reader) = open(&folder, 1 << 30).unwrap();
    put(&mut writer, 10..12);
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2 + 3;
    bytes[half] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(drain(&mut reader), [0, 1, 2, 3, 4, 10, 11]);
    assert!(reader.take_damaged() > 0);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_full_spool_refuses_the_newest_and_takes_more_when_something_was_delivered() {
    let folder = place("full");
    let most = 4 * SPOOL_SEGMENT_LEAST;
    let (spool, mut writer, mut reader) = open(&folder, most).unwrap();
    let line = vec![b'x'; 10_000];
    let mut taken = 0;
    while writer.take(taken, "k", &line).is_ok() {
        writer.flush().unwrap();
        taken += 1;
    }
    assert_eq!(writer.take(0, "k", &line), Err(Refusal::Full));
    let on_disk: u64 = numbers(&folder).unwrap().iter().map(|n| length(&path(&folder, *n)).unwrap()).sum();
    assert_eq!(on_disk, spool.bytes());
    assert!(on_disk <= most && on_disk > most - 2 * 10_100, "{on_disk}");

    let batch = reader.load(usize::try_from(taken).unwrap() / 2).unwrap().unwrap();
    let delivered = batch.entries.len() as u64;
    reader.done(&batch).unwrap();
    reader.load(1).unwrap();
    assert!(spool.bytes() < on_disk, "segments that are delivered are gone");
    writer.take(taken, "k", &line).unwrap();
    writer.flush().unwrap();
    let all = drain(&mut reader);
    assert_eq!(all, (delivered..=taken).collect::<Vec<_>>(), "none lost, none twice");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn two_processes_never_write_into_one_spool() {
    let folder = place("lock");
    let first = open(&folder, 1 << 20).unwrap();
    assert_eq!(open(&folder, 1 << 20).unwrap_err().kind(), ErrorKind::ResourceBusy);
    drop(first);
    assert!(open(&folder, 1 << 20).is_ok());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_hour_at_a_hundred_calls_a_second_waits_and_is_all_there_in_order_afterwards() {
    // 360,000 records, a quarter as long as the real ones. The hour itself is left out: the spool knows no time.
    let folder = place("hour");
    let (spool, mut writer, mut reader) = open(&folder, 1 << 30).unwrap();
    let line = [b"{\"".to_vec(), vec![b'r'; 250], b"\"}\n".to_vec()].concat();
    for n in 0..360_000_u64 {
        writer.take(n, &format!("{n:x}"), &line).unwrap();
        if n % 50 == 49 {
            assert_eq!(writer.flush().unwrap(), 50);
        }
    }
    assert!(spool.bytes() > 360_000 * 250, "{}", spool.bytes());
    let mut next = 0;
    while let Some(batch) = reader.load(500).unwrap() {
        for entry in &batch.entries {
            assert_eq!((entry.written_ms, entry.key.as_str()), (next, format!("{next:x}").as_str()));
            next += 1;
        }
        reader.done(&batch).unwrap();
    }
    assert_eq!(next, 360_000);
    drop(writer);
    assert!(spool.is_closed());
    std::fs::remove_dir_all(&folder).unwrap();
}
