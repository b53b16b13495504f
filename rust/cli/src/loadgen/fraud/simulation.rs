//! The card payments of the Fraud Detection Handbook's simulation (Le Borgne, Siblini, Lebichot and Bontempi,
//! "Reproducible Machine Learning for Credit Card Fraud Detection", chapter 3), drawn from the same generators in
//! the same order, so that the handbook's parameters give the handbook's 1,754,155 payments, row by row.
//!
//! [`super::scenarios`] turns some of them into frauds afterwards, as the procedure wants.

use crate::loadgen::{numpy_legacy::RandomState, numpy_sort::argsort, python_random::PythonRandom};

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Size and seeds of a simulated world. [`Default`] is the handbook's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    /// Cards, numbered from 0.
    pub(crate) customers: u32,
    /// Shops' terminals, numbered from 0.
    pub(crate) terminals: u32,
    /// A customer uses the terminals nearer than this, on a square with sides of 100.
    pub(crate) radius: f64,
    /// Days simulated, from day 0.
    pub(crate) days: u32,
    /// Seed of the customers' places and habits.
    pub(crate) customer_seed: u32,
    /// Seed of the terminals' places.
    pub(crate) terminal_seed: u32,
}

impl Default for World {
    fn default() -> Self {
        Self { customers: 5_000, terminals: 10_000, radius: 5.0, days: 183, customer_seed: 0, terminal_seed: 1 }
    }
}

/// One payment. Its number is its place in the list that [`payments`] returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Payment {
    /// Seconds since the start of day 0.
    pub(crate) second: i64,
    /// Who paid.
    pub(crate) customer: u32,
    /// Where.
    pub(crate) terminal: u32,
    /// How much; cents, except after scenario 3.
    pub(crate) amount: f64,
    /// 0 = genuine; 1, 2, 3 = the fraud scenario that touched it last.
    pub(crate) scenario: u8,
}

impl Payment {
    /// Day of the payment, from 0.
    pub(crate) fn day(&self) -> i64 {
        self.second / DAY
    }
}

struct Customer {
    x: f64,
    y: f64,
    mean_amount: f64,
    payments_per_day: f64,
}

/// All genuine payments of a world, by time; payments of the same second in numpy's order of ties.
pub(crate) fn payments(world: &World) -> Vec<Payment> {
    let terminals = terminal_places(world);
    let mut drawn = Vec::new();
    for (id, customer) in customers(world).iter().enumerate() {
        let usable = terminals_near(customer, &terminals, world.radius);
        pay(id as u32, customer, &usable, world.days, &mut drawn);
    }
    let seconds: Vec<i64> = drawn.iter().map(|payment| payment.second).collect();
    argsort(&seconds).into_iter().map(|position| drawn[position as usize]).collect()
}

fn customers(world: &World) -> Vec<Customer> {
    let mut state = RandomState::new(world.customer_seed);
    // The fields are drawn in the order in which they stand here.
    let mut draw = || Customer {
        x: state.uniform(0.0, 100.0),
        y: state.uniform(0.0, 100.0),
        mean_amount: state.uniform(5.0, 100.0),
        payments_per_day: state.uniform(0.0, 4.0),
    };
    (0..world.customers).map(|_| draw()).collect()
}

fn terminal_places(world: &World) -> Vec<(f64, f64)> {
    let mut state = RandomState::new(world.terminal_seed);
    (0..world.terminals).map(|_| (state.uniform(0.0, 100.0), state.uniform(0.0, 100.0))).collect()
}

fn terminals_near(customer: &Customer, terminals: &[(f64, f64)], radius: f64) -> Vec<u32> {
    let near = |&(x, y): &(f64, f64)| {
        let (dx, dy) = (customer.x - x, customer.y - y);
        (dx * dx + dy * dy).sqrt() < radius
    };
    (0..).zip(terminals).filter(|(_, place)| near(place)).map(|(id, _)| id).collect()
}

/// One customer's payments of all days, appended in the order of the draws.
fn pay(id: u32, customer: &Customer, usable: &[u32], days: u32, drawn: &mut Vec<Payment>) {
    let mut state = RandomState::new(id);
    let mut random = PythonRandom::new(u64::from(id));
    for day in 0..i64::from(days) {
        for _ in 0..state.poisson_small(customer.payments_per_day) {
            let second = state.normal(43_200.0, 20_000.0) as i64;
            if second <= 0 || second >= DAY {
                continue;
            }
            let amount = draw_amount(customer.mean_amount, &mut state);
            if let Some(terminal) = random.choice(usable) {
                drawn.push(Payment { second: day * DAY + second, customer: id, terminal, amount, scenario: 0 });
            }
        }
    }
}

fn draw_amount(mean: f64, state: &mut RandomState) -> f64 {
    let mut amount = state.normal(mean, mean / 2.0);
    if amount < 0.0 {
        amount = state.uniform(0.0, mean * 2.0);
    }
    // numpy.round(amount, 2)
    (amount * 100.0).round_ties_even() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_world_is_the_same_every_time_and_in_order() {
        let world = World { customers: 40, terminals: 400, days: 10, radius: 10.0, ..World::default() };
        let first = payments(&world);
        assert!(first.len() > 300, "{} payments", first.len());
        assert_eq!(first, payments(&world));
        assert!(first.windows(2).all(|pair| pair[0].second <= pair[1].second));
        assert!(first.iter().all(|p| p.customer < 40 && p.terminal < 400 && p.day() < 10 && p.amount >= 0.0));
    }

    #[test]
    fn more_days_only_append() {
        let short = World { customers: 30, terminals: 300, days: 5, radius: 10.0, ..World::default() };
        let long = World { days: 8, ..short.clone() };
        let mut head = payments(&long);
        head.retain(|payment| payment.day() < 5);
        let key = |p: &Payment| (p.second, p.customer, p.terminal, p.amount.to_bits());
        let sorted = |mut list: Vec<Payment>| {
            list.sort_by_key(key);
            list
        };
        assert_eq!(sorted(head), sorted(payments(&short)));
    }

    #[test]
    fn without_a_terminal_in_reach_nobody_pays() {
        let world = World { customers: 5, terminals: 3, radius: 1e-9, days: 3, ..World::default() };
        assert_eq!(payments(&world), []);
    }
}
