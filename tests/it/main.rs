//! The promises, one module each. One binary, so that it links once.

mod demo_servers;
mod smtp;
