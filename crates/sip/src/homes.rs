//! The addresses at which telephones are registered. None of them is ever banned: it may be that of
//! a whole office, and garbage in its name can come from anywhere.

use std::collections::HashMap;
use std::net::IpAddr;

use model::DeviceId;

/// See the module. Bounded by the telephones that are registered.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    of: HashMap<DeviceId, Vec<IpAddr>>,
    telephones: HashMap<IpAddr, usize>,
}

impl Homes {
    /// A telephone is at these addresses from now on, or nowhere.
    pub(crate) fn set(&mut self, device: DeviceId, addresses: Vec<IpAddr>) {
        for address in self.of.remove(&device).unwrap_or_default() {
            if let Some(count) = self.telephones.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.telephones.remove(&address);
                }
            }
        }
        for address in &addresses {
            *self.telephones.entry(*address).or_default() += 1;
        }
        if !addresses.is_empty() {
            self.of.insert(device, addresses);
        }
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.telephones.contains_key(&address)
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::id::IdMint;

    use super::*;

    #[test]
    fn an_address_is_one_as_long_as_somebody_is_there() {
        let mut mint = IdMint::new(1);
        let mut device = || mint.mint(Timestamp::from_micros(1));
        let (one, other): (DeviceId, DeviceId) = (device(), device());
        let at = |last| IpAddr::from([192, 0, 2, last]);
        let mut homes = Homes::default();
        homes.set(one, vec![at(1), at(2)]);
        homes.set(other, vec![at(1)]);
        homes.set(one, vec![at(3)]);
        assert_eq!([1, 2, 3].map(|last| homes.has(at(last))), [true, false, true]);
        homes.set(other, vec![]);
        homes.set(one, vec![]);
        assert!(homes.of.is_empty() && homes.telephones.is_empty());
    }
}
