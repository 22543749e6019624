//! The promises, one module each. One binary, so that it links once.

mod places;
mod topics;
