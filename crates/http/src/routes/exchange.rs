//! `_exchange`: what our own nodes say to each other instead of four round trips a batch. See
//! [`trunkline_wire::exchange`].

mod changes;
mod contents;
mod docs;
mod uploads;

pub(super) use changes::feed as changes;
pub(super) use contents::{absent, begun, lacking, read as content, write as put_content};
pub(super) use docs::write as docs;
pub(crate) use uploads::Uploads;
