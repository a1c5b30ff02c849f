//! A number of calls, divided among shards.

/// `calls` in proportion to what each shard has, exactly in sum: the largest remainders get what is left over. Shards
/// that together have none get equal parts.
pub(super) fn split(calls: u32, have: &[usize]) -> Vec<u32> {
    let total: u64 = have.iter().map(|n| *n as u64).sum();
    let weights: Vec<u64> =
        if total == 0 { vec![1; have.len()] } else { have.iter().map(|n| *n as u64).collect() };
    let total: u64 = weights.iter().sum::<u64>().max(1);
    let exact = weights.iter().map(|weight| u64::from(calls) * weight);
    let mut parts: Vec<(u64, u64)> = exact.map(|share| (share / total, share % total)).collect();
    let mut left = u64::from(calls).saturating_sub(parts.iter().map(|(whole, _)| whole).sum());
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(parts.get(*i).map_or(0, |(_, rest)| *rest)));
    for i in order {
        if let Some((whole, _)) = parts.get_mut(i).filter(|_| left > 0) {
            *whole += 1;
            left -= 1;
        }
    }
    parts.into_iter().map(|(whole, _)| u32::try_from(whole).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole_and_follow_what_is_there() {
        assert_eq!(split(10, &[100, 100]), [5, 5]);
        assert_eq!(split(1, &[10, 0, 30]), [0, 0, 1]);
        assert_eq!(split(7, &[0, 0, 0]), [3, 2, 2]);
        assert_eq!(split(0, &[4, 4]), [0, 0]);
        for calls in 0..50 {
            assert_eq!(split(calls, &[3, 17, 5, 1]).iter().sum::<u32>(), calls);
        }
    }
}
