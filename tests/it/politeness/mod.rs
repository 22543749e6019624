//! How often publishers are asked, and what they can say about it.

mod addresses;
mod faults;
mod health;
mod publisher;
mod turns;
