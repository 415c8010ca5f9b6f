// Health check of an image: ends with 0 if HEALTH_URL answers 200 within four seconds. Standard library only.
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(4);
const STATUS_LINE_BYTES: usize = 12;

fn status_line(url: &str) -> Result<String, Error> {
    let invalid = |text: &str| Error::new(ErrorKind::InvalidInput, text.to_owned());
    let rest = url.strip_prefix("http://").ok_or_else(|| invalid("HEALTH_URL is not http"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = host.parse().map_err(|_| invalid("HEALTH_URL needs an address with port"))?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, host)?;
    let mut start = [0; STATUS_LINE_BYTES];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start).into_owned())
}

fn main() {
    let url = std::env::var("HEALTH_URL").unwrap_or_default();
    match status_line(&url) {
        Ok(line) if line.ends_with(" 200") => {}
        Ok(line) => {
            eprintln!("{}: {}", url, line);
            std::process::exit(1)
        }
        Err(error) => {
            eprintln!("{}: {}", url, error);
            std::process::exit(1)
        }
    }
}
