//! Where nonces come from.

use crate::error::Error;

/// Where the random nonces of sealed values come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum NonceSource {
    /// The operating system's generator, for every value, or once for up to 1,024 values of
    /// [`TenantKeys::seal_many`](crate::TenantKeys::seal_many). Neither a fork nor a restored snapshot repeats it.
    #[default]
    Kernel,
    /// A ChaCha12 generator of the thread, seeded by the operating system (`rand::rng`). It saves the system call, most
    /// of the time of sealing a short value, and **has no protection against forks and snapshots**: two processes that
    /// go on from one memory image draw the same nonces, and AES-GCM reveals its authentication key and the difference
    /// of two plain texts when a nonce repeats. Only for processes that never fork after their first seal and never run
    /// from a snapshot of a virtual machine.
    #[cfg(feature = "userspace-nonces")]
    #[cfg_attr(docsrs, doc(cfg(feature = "userspace-nonces")))]
    Userspace,
}

impl NonceSource {
    #[inline]
    pub(crate) fn fill(self, bytes: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Kernel => getrandom::fill(bytes).map_err(Error::randomness),
            #[cfg(feature = "userspace-nonces")]
            Self::Userspace => {
                rand::Rng::fill_bytes(&mut rand::rng(), bytes);
                Ok(())
            }
        }
    }
}
