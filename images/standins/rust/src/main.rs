// Stand-in for runner-service: health, JSON logs, clean exit on SIGTERM. Standard library only. Not a product.
use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SIGTERM: i32 = 15;
const POLL: Duration = Duration::from_millis(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
static ENDING: AtomicBool = AtomicBool::new(false);

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn on_sigterm(_number: i32) {
    ENDING.store(true, Ordering::SeqCst);
}

fn log(message: &str) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map(|age| age.as_secs()).unwrap_or(0);
    println!(
        "{{\"level\":\"info\",\"message\":\"{}\",\"service\":\"runner-service\",\"time\":{}}}",
        message, time
    );
}

fn store_answers() -> bool {
    if env::var("CHECK_STORES").as_deref() != Ok("true") {
        return true;
    }
    let url = env::var("NATS_URL").unwrap_or_default();
    let host = url.trim_start_matches("nats://").rsplit('@').next().unwrap_or_default();
    let mut addresses = match host.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(_) => return false,
    };
    addresses.any(|address| TcpStream::connect_timeout(&address, REQUEST_TIMEOUT).is_ok())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer)?;
    let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let (status, body) = match request.split(' ').nth(1) {
        Some("/api/v1/health") | Some("/api/v1/status") if store_answers() => ("200 OK", "{\"status\":\"UP\"}"),
        Some("/api/v1/health") | Some("/api/v1/status") => ("503 Service Unavailable", "{\"status\":\"DOWN\"}"),
        _ => ("404 Not Found", "{}"),
    };
    write!(
        stream,
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
        status,
        body.len(),
        body
    )
}

fn main() {
    unsafe { signal(SIGTERM, on_sigterm) };
    let address = env::var("BIND_ADDRESS").unwrap_or_else(|_| "0.0.0.0:8080".to_owned());
    let listener = TcpListener::bind(&address).expect("BIND_ADDRESS can be listened on");
    listener.set_nonblocking(true).expect("a listener can be polled");
    log(&format!("listening on {}", address));
    while !ENDING.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((stream, _)) => {
                thread::spawn(move || answer(stream));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(POLL),
            Err(_) => {}
        }
    }
    log("SIGTERM: no new connections");
}
