//! [`counting_sort`]: sorts items by a small number that each of them has, in one pass.

use crate::model::internal_fault::must;

/// Returns the items in order of their numbers, and the index at which the items of each number begin, with one more
/// entry for the end. The sort is stable.
///
/// Every number must be below `numbers`. Any other is an internal fault.
///
/// # Complexity
/// O(items + numbers). Nothing is moved if the items are in order already.
pub(crate) fn counting_sort<T: Copy>(
    items: Vec<T>,
    numbers: usize,
    number: impl Fn(&T) -> usize,
) -> (Vec<T>, Vec<usize>) {
    let mut starts = vec![0; numbers + 1];
    for item in &items {
        if let Some(count) = must(starts.get_mut(number(item) + 1), "a number to sort by is in range") {
            *count += 1;
        }
    }
    let mut before = 0;
    for start in &mut starts {
        before += *start;
        *start = before;
    }
    if items.is_sorted_by_key(&number) {
        return (items, starts);
    }
    let (mut all, mut next) = (items.clone(), starts.clone());
    for item in items {
        let at = next.get_mut(number(&item));
        let place = at.and_then(|at| Some((all.get_mut(*at)?, at)));
        if let Some((place, at)) = must(place, "a sorted item has a place") {
            *place = item;
            *at += 1;
        }
    }
    (all, starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counting_sort_is_a_stable_sort(numbers in vec(0..20_usize, 0..60)) {
            let items: Vec<(usize, usize)> = numbers.into_iter().zip(0..).collect();
            let mut sorted = items.clone();
            sorted.sort_by_key(|(number, _)| *number);
            let (all, starts) = counting_sort(items, 20, |(number, _)| *number);
            prop_assert_eq!(&all, &sorted);
            prop_assert_eq!(starts.len(), 21);
            for (number, ends) in starts.windows(2).enumerate() {
                prop_assert!(all[ends[0]..ends[1]].iter().all(|(of, _)| *of == number));
            }
            prop_assert_eq!((starts[0], starts[20]), (0, all.len()));
        }
    }
}
