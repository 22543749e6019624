//! The demo: the whole way from a news page to the inbox in one process.

pub mod mail_server;
pub mod mailbox;
pub mod news_site;
mod page;
