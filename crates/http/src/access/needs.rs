//! What a row of the route table asks of who comes.

use trunkline_core::access::Rights;

/// What is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing (but a known user, where the settings want one).
    Nothing,
    /// To administer the server.
    ServerAdmin,
    /// One of these rights in the path's database. Where it is had with some documents only, the others do not exist.
    Documents(Rights),
    /// One of these rights in the path's database, with all documents.
    Whole(Rights),
}

pub(crate) const NOTHING: Needs = Needs::Nothing;
pub(crate) const SERVER_ADMIN: Needs = Needs::ServerAdmin;
pub(crate) const READ: Needs = Needs::Documents(Rights::READ);
pub(crate) const WRITE: Needs = Needs::Documents(Rights::WRITE);
/// What the source of a replication is asked, and what anyone may ask who reads.
pub(crate) const READ_OR_TAKE: Needs = Needs::Documents(Rights::READ.or(Rights::REPLICATE_OUT));
/// What only the target of a replication is asked.
pub(crate) const BRING: Needs = Needs::Documents(Rights::REPLICATE_IN);
/// What both ends of a replication are asked.
pub(crate) const MEMBER: Needs = Needs::Documents(Rights::MEMBER);
/// What brings edits of any kind; which right each of them needs is seen in the commit.
pub(crate) const EDIT: Needs = Needs::Documents(Rights::WRITE.or(Rights::REPLICATE_IN).or(Rights::CONFIGURE));
/// What keeps checkpoints.
pub(crate) const CHECKPOINT: Needs =
    Needs::Documents(Rights::WRITE.or(Rights::REPLICATE_IN).or(Rights::REPLICATE_OUT));
pub(crate) const ANY: Needs = Needs::Documents(Rights::ALL);
pub(crate) const READ_WHOLE: Needs = Needs::Whole(Rights::READ.or(Rights::REPLICATE_OUT));
pub(crate) const ANY_WHOLE: Needs = Needs::Whole(Rights::ALL);
pub(crate) const CONFIGURE: Needs = Needs::Whole(Rights::CONFIGURE);

/// By which rights documents are shown.
pub(crate) const SHOWS: Rights = Rights::READ.or(Rights::REPLICATE_OUT);

/// By which rights besides: who brings revisions is told which of them are there already.
pub(crate) fn shows_revisions(needs: Needs) -> Rights {
    match [MEMBER, BRING].contains(&needs) {
        true => Rights::REPLICATE_IN,
        false => Rights::NONE,
    }
}

/// What may be asked about a document of one's own in `_users`.
pub(crate) const ONE_DOCUMENT: [Needs; 5] = [READ, WRITE, READ_OR_TAKE, EDIT, ANY];
