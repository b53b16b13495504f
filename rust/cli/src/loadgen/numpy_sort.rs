//! numpy's `argsort(kind="quicksort")`, with its order of ties.
//!
//! The sort is not stable, and the handbook's transaction numbers follow it: payments of the same second are
//! numbered in the order that numpy's introsort leaves them in. So this is the same introsort: median of three
//! moved to the ends, Hoare partition, insertion sort up to 16 elements, the smaller part first, heapsort when the
//! depth passes twice log2(n). numpy's vector sorts (for plain integers) order ties otherwise; dates never use them.

/// Ranges of at most this many elements are sorted by insertion.
const SMALL: usize = 16;

/// Positions of `keys` in ascending order of key: equals `numpy.argsort(keys.astype("datetime64"))`.
pub(crate) fn argsort(keys: &[i64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    if keys.len() < 2 {
        return order;
    }
    let key = |position: u32| keys[position as usize];
    let mut waiting = vec![(0, keys.len(), 2 * keys.len().ilog2() as i32)];
    while let Some((mut from, mut until, mut depth)) = waiting.pop() {
        if depth < 0 {
            heap_sort(&mut order[from..until], key);
            continue;
        }
        while until - from > SMALL {
            let pivot = from + partition(&mut order[from..until], key);
            depth -= 1;
            if pivot - from < until - 1 - pivot {
                waiting.push((pivot + 1, until, depth));
                until = pivot;
            } else {
                waiting.push((from, pivot, depth));
                from = pivot + 1;
            }
        }
        insertion_sort(&mut order[from..until], key);
    }
    order
}

/// Splits around the median of first, middle and last; returns where the pivot ended. Needs 4 elements or more.
fn partition(order: &mut [u32], key: impl Fn(u32) -> i64) -> usize {
    let last = order.len() - 1;
    let middle = last / 2;
    for (low, high) in [(0, middle), (middle, last), (0, middle)] {
        if key(order[high]) < key(order[low]) {
            order.swap(low, high);
        }
    }
    let pivot = key(order[middle]);
    order.swap(middle, last - 1);
    let (mut left, mut right) = (0, last - 1);
    loop {
        // The ends hold the smallest and the pivot, so both scans stop inside the slice.
        left += 1;
        while key(order[left]) < pivot {
            left += 1;
        }
        right -= 1;
        while pivot < key(order[right]) {
            right -= 1;
        }
        if left >= right {
            break;
        }
        order.swap(left, right);
    }
    order.swap(left, last - 1);
    left
}

fn insertion_sort(order: &mut [u32], key: impl Fn(u32) -> i64) {
    for i in 1..order.len() {
        let moving = order[i];
        let mut hole = i;
        while hole > 0 && key(moving) < key(order[hole - 1]) {
            order[hole] = order[hole - 1];
            hole -= 1;
        }
        order[hole] = moving;
    }
}

fn heap_sort(order: &mut [u32], key: impl Fn(u32) -> i64) {
    let sift = |order: &mut [u32], mut root: usize, len: usize| {
        loop {
            let mut child = 2 * root + 1;
            if child >= len {
                return;
            }
            if child + 1 < len && key(order[child]) < key(order[child + 1]) {
                child += 1;
            }
            if key(order[root]) >= key(order[child]) {
                return;
            }
            order.swap(root, child);
            root = child;
        }
    };
    for root in (0..order.len() / 2).rev() {
        sift(order, root, order.len());
    }
    for end in (1..order.len()).rev() {
        order.swap(0, end);
        sift(order, 0, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_stand_in_numpys_order() {
        // keys = numpy.array([(i * 7919) % 97 for i in range(400)], dtype="datetime64[ns]"); numpy.argsort(keys)
        let keys: Vec<i64> = (0..400).map(|i| (i * 7919) % 97).collect();
        let order = argsort(&keys);
        let head = [0, 388, 291, 194, 97, 327, 230, 133, 36, 363, 266, 169, 72, 302, 205, 108, 399, 11, 338, 144];
        assert_eq!(order[..20], head);
        let checksum: u64 = order.iter().zip(1..).map(|(&position, i): (&u32, u64)| i * u64::from(position)).sum();
        assert_eq!(checksum, 15_963_340);
    }

    #[test]
    fn every_length_and_shape_comes_out_sorted() {
        for n in [0_usize, 1, 2, 15, 16, 17, 18, 100, 1000] {
            for shape in [
                (0..n as i64).collect::<Vec<_>>(),
                (0..n as i64).rev().collect(),
                vec![7; n],
                (0..n as i64).map(|i| i % 3).collect(),
            ] {
                let order = argsort(&shape);
                assert!(order.windows(2).all(|pair| shape[pair[0] as usize] <= shape[pair[1] as usize]), "n {n}");
                let mut positions = order;
                positions.sort_unstable();
                assert!(positions.iter().zip(0..).all(|(&position, i)| position == i), "n {n}");
            }
        }
    }

    #[test]
    fn the_fallback_for_bad_splits_sorts_too() {
        let keys: Vec<i64> = (0..50).map(|i| (i * 31) % 17).collect();
        let mut order: Vec<u32> = (0..50).collect();
        heap_sort(&mut order, |position| keys[position as usize]);
        assert!(order.windows(2).all(|pair| keys[pair[0] as usize] <= keys[pair[1] as usize]));
    }
}
