//! The handbook's three fraud scenarios, laid over the payments in its order: a later scenario overwrites an
//! earlier one, so fewer of each remain than were put in (973, 9,077 and 4,631 with the handbook's parameters).

use super::simulation::{Payment, World};
use crate::loadgen::{numpy_legacy::RandomState, python_random::PythonRandom};

/// Scenario 1: amounts above this are frauds.
const LARGE_AMOUNT: f64 = 220.0;
/// Scenario 2: terminals that go bad each day, and for how many days.
const TERMINALS_PER_DAY: usize = 2;
const TERMINAL_DAYS: i64 = 28;
/// Scenario 3: customers whose card leaks each day, for how many days, the share of their payments that are
/// frauds (one in so many), and by how much the amounts grow.
const CUSTOMERS_PER_DAY: usize = 3;
const CUSTOMER_DAYS: i64 = 14;
const ONE_PAYMENT_IN: usize = 3;
const AMOUNT_FACTOR: f64 = 5.0;

/// Marks frauds in payments that stand in time order; scenario 3 raises amounts, more than once where the same
/// payment is drawn on several days.
pub(crate) fn add_frauds(payments: &mut [Payment], world: &World) {
    large_amounts(payments);
    // Both go over the days before the last one that has a payment.
    let days = payments.last().map_or(0, Payment::day);
    bad_terminals(payments, days, world.terminals);
    leaked_cards(payments, days, world.customers);
}

fn large_amounts(payments: &mut [Payment]) {
    for payment in payments.iter_mut().filter(|payment| payment.amount > LARGE_AMOUNT) {
        payment.scenario = 1;
    }
}

fn bad_terminals(payments: &mut [Payment], days: i64, terminals: u32) {
    let places = places_by(payments, terminals, |payment| payment.terminal);
    for day in 0..days {
        for terminal in RandomState::new(day as u32).sample(terminals, TERMINALS_PER_DAY) {
            for place in within(&places[terminal as usize], payments, day, TERMINAL_DAYS) {
                payments[place as usize].scenario = 2;
            }
        }
    }
}

fn leaked_cards(payments: &mut [Payment], days: i64, customers: u32) {
    let places = places_by(payments, customers, |payment| payment.customer);
    for day in 0..days {
        let mut candidates: Vec<u32> = RandomState::new(day as u32)
            .sample(customers, CUSTOMERS_PER_DAY)
            .into_iter()
            .flat_map(|customer| within(&places[customer as usize], payments, day, CUSTOMER_DAYS))
            .collect();
        // The draw is over the payments in time order, whoever made them.
        candidates.sort_unstable();
        let frauds = candidates.len() / ONE_PAYMENT_IN;
        for place in PythonRandom::new(day as u64).sample(&candidates, frauds) {
            let payment = &mut payments[place as usize];
            payment.amount *= AMOUNT_FACTOR;
            payment.scenario = 3;
        }
    }
}

/// For each id below `ids`, the places of its payments, ascending.
fn places_by(payments: &[Payment], ids: u32, id: impl Fn(&Payment) -> u32) -> Vec<Vec<u32>> {
    let mut places = vec![Vec::new(); ids as usize];
    for (place, payment) in (0..).zip(payments) {
        places[id(payment) as usize].push(place);
    }
    places
}

/// Those of `places` whose payment falls on the days `from..from + days`.
fn within(places: &[u32], payments: &[Payment], from: i64, days: i64) -> Vec<u32> {
    let day = |place: &u32| payments[*place as usize].day();
    let start = places.partition_point(|place| day(place) < from);
    let end = places.partition_point(|place| day(place) < from + days);
    places[start..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::simulation::{DAY, payments};
    use super::*;

    fn payment(second: i64, amount: f64) -> Payment {
        Payment { second, customer: 0, terminal: 0, amount, scenario: 0 }
    }

    #[test]
    fn only_amounts_above_the_limit_are_large() {
        let mut list = [payment(1, 220.0), payment(2, 220.01)];
        large_amounts(&mut list);
        assert_eq!(list.map(|p| p.scenario), [0, 1]);
    }

    #[test]
    fn windows_are_half_open_in_days() {
        let list = [payment(DAY - 1, 1.0), payment(DAY, 1.0), payment(15 * DAY - 1, 1.0), payment(15 * DAY, 1.0)];
        assert_eq!(within(&[0, 1, 2, 3], &list, 1, 14), [1, 2]);
    }

    #[test]
    fn the_handbooks_world_has_the_handbooks_frauds() {
        let world = World::default();
        let mut list = payments(&world);
        add_frauds(&mut list, &world);
        assert_eq!(list.len(), 1_754_155);
        let count = |scenario| list.iter().filter(|p| p.scenario == scenario).count();
        assert_eq!([count(1), count(2), count(3)], [973, 9_077, 4_631]);
        assert_eq!(list.iter().filter(|p| p.scenario > 0).count(), 14_681);
        assert_eq!(list.iter().filter(|p| p.amount == 0.0).count(), 42);
    }
}
