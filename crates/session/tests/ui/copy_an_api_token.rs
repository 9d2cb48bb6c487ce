use stockade_session::IssuedApiToken;

fn keep(issued: IssuedApiToken) {
    let copy = issued.clone();
    println!("{issued}");
    drop(issued.reveal());
    drop(issued.reveal());
    drop(copy);
}

fn main() {}
