package upa.pager.store;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Encrypts pages before they leave the machine: AES in Galois/counter mode (NIST SP 800-38D), a fresh 96-bit nonce for
 * each page, bound to the page's key in the store so that pages cannot be exchanged. Safe for use by several threads.
 *
 * <p>A nonce is a random number of 32 bits, one for each thread of each process, and a counter: a key serves 2^32
 * threads before two are likely to share their number.
 */
final class Sealing {
    /** Bytes that a sealed page is longer than a page. */
    static final int OVERHEAD_BYTES = 12 + 16;

    private static final int NONCE_BYTES = 12;
    private static final int TAG_BITS = 128;

    private final SecretKeySpec key;
    private final ThreadLocal<Tools> tools;

    private static final class Tools {
        private final Cipher cipher;
        private final ByteBuffer nonce = ByteBuffer.allocate(NONCE_BYTES);
        private long counter;

        Tools() {
            try {
                cipher = Cipher.getInstance("AES/GCM/NoPadding");
            } catch (GeneralSecurityException e) {
                throw new AssertionError("every JDK has AES/GCM/NoPadding", e);
            }
            SecureRandom random = new SecureRandom();
            nonce.putInt(0, random.nextInt());
            counter = random.nextLong();
        }

        byte[] nextNonce() {
            return nonce.putLong(4, counter++).array().clone();
        }
    }

    /**
     * Makes one.
     *
     * @param secret 16 or 32 bytes
     */
    Sealing(byte[] secret) {
        key = new SecretKeySpec(secret, "AES");
        tools = ThreadLocal.withInitial(Tools::new);
    }

    byte[] seal(byte[] page, byte[] name) {
        Tools mine = tools.get();
        byte[] nonce = mine.nextNonce();
        byte[] sealed = new byte[page.length + OVERHEAD_BYTES];
        System.arraycopy(nonce, 0, sealed, 0, NONCE_BYTES);
        try {
            mine.cipher.init(Cipher.ENCRYPT_MODE, key, new GCMParameterSpec(TAG_BITS, nonce));
            mine.cipher.updateAAD(name);
            mine.cipher.doFinal(page, 0, page.length, sealed, NONCE_BYTES);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("cannot encrypt a page", e);
        }
        return sealed;
    }

    /** The page, or null if it is not what was sealed under this name. */
    byte[] open(byte[] sealed, byte[] name) {
        if (sealed.length != PageIo.PAGE_BYTES + OVERHEAD_BYTES) {
            return null;
        }
        Tools mine = tools.get();
        try {
            mine.cipher.init(Cipher.DECRYPT_MODE, key, new GCMParameterSpec(TAG_BITS, sealed, 0, NONCE_BYTES));
            mine.cipher.updateAAD(name);
            return mine.cipher.doFinal(sealed, NONCE_BYTES, sealed.length - NONCE_BYTES);
        } catch (AEADBadTagException e) {
            return null;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("cannot decrypt a page", e);
        }
    }
}
