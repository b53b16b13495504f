//! Firesteel from a shell.
fn main() {}
