//! People who come in, change and go out by themselves: pages, mails, links.

mod answers;
mod forms;
mod limits;
mod preferring;
mod tokens;
pub mod town;
mod way;
