//! Known answers from `tests/data`.

use argon2::{Algorithm, Argon2, AssociatedData, Block, ParamsBuilder, Version};
use serde_json::Value;

fn unhex(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The whole of Argon2id, as this crate computes it: in memory that it keeps.
#[test]
fn rfc_9106_vector() {
    let vector: Value = serde_json::from_str(include_str!("../../tests/data/rfc9106.json")).unwrap();
    let number = |name: &str| u32::try_from(vector[name].as_u64().unwrap()).unwrap();
    let mut params = ParamsBuilder::new();
    params.m_cost(number("memory_kib")).t_cost(number("passes")).p_cost(number("lanes"));
    params.data(AssociatedData::new(&unhex(&vector["data"])).unwrap());
    let params = params.build().unwrap();
    let mut memory = vec![Block::new(); params.block_count()];
    let secret = unhex(&vector["secret"]);
    let argon2 = Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
    for _ in 0..2 {
        let mut tag = [0; 32];
        let (password, salt) = (unhex(&vector["password"]), unhex(&vector["salt"]));
        argon2.hash_password_into_with_memory(&password, &salt, &mut tag, &mut memory).unwrap();
        assert_eq!(tag.to_vec(), unhex(&vector["tag"]));
    }
}
