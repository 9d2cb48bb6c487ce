use stockade_session::SessionToken;

fn log(token: &SessionToken) {
    println!("{token}");
}

fn main() {}
