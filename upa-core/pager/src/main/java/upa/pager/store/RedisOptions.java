package upa.pager.store;

import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import upa.pager.host.Options;
import upa.pager.posix.FileFailure;
import upa.policy.PolicyException;

/**
 * Where a Redis or Valkey store is: {@code redis://[USER[:PASSWORD]@]HOST[:PORT][/DB][?KEY=VALUE&…]}. {@code rediss} is
 * TLS, {@code redis-cluster} and {@code rediss-cluster} a cluster, of which several nodes can be named, separated by
 * semicolons. Keys: {@code limit} bytes of pages, {@code timeout} of a connection or answer, {@code ttl} after which
 * pages of a client that is gone expire, {@code password-file}, {@code key-file} with 32 or 64 hexadecimal digits to
 * encrypt pages, {@code ca} with certificates in PEM to trust instead of the system's.
 *
 * @param hosts   at least one
 * @param cluster whether they are of a cluster
 * @param config  of connections
 * @param limit   most bytes of pages
 * @param ttl     after which keys expire that nobody refreshes
 * @param key     16 or 32 bytes to encrypt pages with, or null
 */
record RedisOptions(
        List<HostAndPort> hosts,
        boolean cluster,
        DefaultJedisClientConfig config,
        long limit,
        Duration ttl,
        byte[] key) {
    private static final Pattern URL = Pattern.compile(
            "(rediss?)(-cluster)?://(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?]+)" + "(?:/([0-9]{1,5})?)?(?:\\?(.*))?");
    private static final Pattern HOST = Pattern.compile("([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+])(?::([0-9]{1,5}))?");
    private static final int DEFAULT_PORT = 6379;
    /** What a password must not be written with, since it ends there. */
    private static final String ESCAPES = "; in a password, @ is %40, / %2F, : %3A, ? %3F and , %2C";

    private static final Set<String> KEYS = Set.of("limit", "timeout", "ttl", "password-file", "key-file", "ca");

    /** Whether a text is one of these. */
    static boolean isUrl(String text) {
        return text.matches("rediss?(-cluster)?://.*");
    }

    static RedisOptions parse(String url) throws StoreException {
        Matcher m = URL.matcher(url);
        if (!m.matches()) {
            throw new StoreException("not a store: url=" + withoutPassword(url)
                    + " needs redis://[USER:PASSWORD@]HOST[:PORT][/DB]" + (url.contains("@") ? ESCAPES : ""));
        }
        boolean cluster = m.group(2) != null;
        String shown = withoutPassword(url);
        List<HostAndPort> hosts = new ArrayList<>();
        for (String text : m.group(5).split(";")) {
            hosts.add(host(text, shown));
        }
        if (hosts.size() > 1 && !cluster) {
            throw new StoreException("store url=" + shown + " names several hosts, which only redis-cluster:// has");
        }
        if (cluster && m.group(6) != null && Integer.parseInt(m.group(6)) != 0) {
            throw new StoreException("store url=" + shown + " names database=" + m.group(6) + ": a cluster has only 0");
        }
        Map<String, String> values = values(m.group(7), shown);
        if (values.containsKey("ca") && !m.group(1).equals("rediss")) {
            throw new StoreException("store url=" + shown + " has option=ca, which only rediss:// has");
        }
        Options options = new Options("store url=" + shown, values);
        try {
            int timeout = (int)
                    options.duration("timeout", Duration.ofSeconds(1), Duration.ofMillis(10), Duration.ofMinutes(1))
                            .toMillis();
            var config = DefaultJedisClientConfig.builder()
                    .connectionTimeoutMillis(timeout)
                    .socketTimeoutMillis(timeout)
                    .clientName("upa");
            String password = values.containsKey("password-file")
                    ? firstLine(values.get("password-file"), shown)
                    : m.group(4) == null ? null : decoded(m.group(4), shown);
            if (m.group(3) != null && !m.group(3).isEmpty()) {
                config.user(decoded(m.group(3), shown));
            }
            if (password != null) {
                config.password(password);
            }
            if (m.group(6) != null) {
                config.database(Integer.parseInt(m.group(6)));
            }
            if (m.group(1).equals("rediss")) {
                config.ssl(true);
                if (values.containsKey("ca")) {
                    config.sslSocketFactory(trusting(values.get("ca"), shown));
                }
            }
            long most = (long) Store.MAX_SLOTS * PageIo.PAGE_BYTES;
            return new RedisOptions(
                    List.copyOf(hosts),
                    cluster,
                    config.build(),
                    options.bytes("limit", most, 1 << 20, most),
                    options.duration("ttl", Duration.ofHours(168), Duration.ofSeconds(1), Duration.ofHours(10_000)),
                    values.containsKey("key-file") ? key(values.get("key-file"), shown) : null);
        } catch (PolicyException e) {
            throw new StoreException(e.getMessage(), e);
        }
    }

    /** Whatever stands between the name of a user and the last {@code @}, where that ends the password or not. */
    static String withoutPassword(String text) {
        return text.replaceFirst(":(/*[^:@/?]*):.*@", ":$1:***@");
    }

    /** RFC 3986: a plus sign is one. */
    private static String decoded(String text, String url) throws StoreException {
        try {
            return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw new StoreException(
                    "store url=" + url + " has a % in its user or password that is not %HH: write it as %25", e);
        }
    }

    private static HostAndPort host(String text, String url) throws StoreException {
        Matcher m = HOST.matcher(text);
        int port = m.matches() ? m.group(2) == null ? DEFAULT_PORT : Integer.parseInt(m.group(2)) : 0;
        if (port < 1 || port > 65535) {
            // It may have a part of a password, since commas and @ end one.
            String part = text.substring(text.lastIndexOf('@') + 1);
            String host = part.matches("[^:]+:[0-9]{1,6}|[^:]*") ? part : part.replaceFirst(":.*", ":***");
            throw new StoreException("store url=" + url.replace(part, host) + " has host=" + host
                    + ", needs HOST or HOST:PORT" + (host.equals(text) ? "" : ESCAPES));
        }
        return new HostAndPort(m.group(1).replaceAll("[\\[\\]]", ""), port);
    }

    private static Map<String, String> values(String query, String url) throws StoreException {
        Map<String, String> values = new LinkedHashMap<>();
        if (query == null || query.isEmpty()) {
            return values;
        }
        for (String entry : query.split("&", -1)) {
            int equals = entry.indexOf('=');
            String key = equals < 0 ? entry : entry.substring(0, equals);
            if (equals < 0 || !KEYS.contains(key)) {
                throw new StoreException("store url=" + url + " has no option=" + entry + "; there are "
                        + String.join(", ", KEYS.stream().sorted().toList()));
            }
            if (values.put(key, entry.substring(equals + 1)) != null) {
                throw new StoreException("store url=" + url + " has twice option=" + key);
            }
        }
        return values;
    }

    private static String firstLine(String file, String url) throws StoreException {
        String line;
        try {
            line = Files.readString(Path.of(file))
                    .lines()
                    .findFirst()
                    .orElse("")
                    .strip();
        } catch (IOException e) {
            throw new StoreException(
                    "store url=" + url + ": cannot read file=" + file + ": " + FileFailure.reason(e), e);
        } catch (InvalidPathException e) {
            throw new StoreException("store url=" + url + ": cannot read file=" + file, e);
        }
        if (line.isEmpty()) {
            throw new StoreException("store url=" + url + ": the first line of file=" + file + " is empty");
        }
        return line;
    }

    private static byte[] key(String file, String url) throws StoreException {
        String digits = firstLine(file, url);
        if (!digits.matches("[0-9a-fA-F]{32}|[0-9a-fA-F]{64}")) {
            throw new StoreException("store url=" + url + ": file=" + file + " needs 32 or 64 hexadecimal digits");
        }
        return HexFormat.of().parseHex(digits);
    }

    private static SSLSocketFactory trusting(String file, String url) throws StoreException {
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
            trusted.load(null, null);
            int i = 0;
            for (Certificate certificate :
                    CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                trusted.setCertificateEntry("ca" + i++, certificate);
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(trusted);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, factory.getTrustManagers(), null);
            return context.getSocketFactory();
        } catch (FileSystemException e) {
            throw new StoreException(
                    "store url=" + url + ": cannot read file=" + file + ": " + FileFailure.reason(e), e);
        } catch (IOException | GeneralSecurityException | InvalidPathException e) {
            throw new StoreException(
                    "store url=" + url + ": cannot use the certificates of file=" + file + ": " + e.getMessage(), e);
        }
    }
}
