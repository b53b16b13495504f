import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.Key;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.Certificate;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.PBEParameterSpec;

/**
 * Writes the keys of one store in the forms that Kafka's clients take: PKCS12, JKS and PEM, for each its own file.
 * Arguments: the store (PKCS12 with the entries ca, broker, client, stranger) and the folder to write to; passwords
 * come as STORE_PASSWORD and KEY_PASSWORD (of the JKS entry and the encrypted PEM key) in the environment.
 */
public final class StoreForms {
    private static final String[] NAMES = {"broker", "client", "stranger"};

    public static void main(String[] arguments) throws Exception {
        char[] store = System.getenv("STORE_PASSWORD").toCharArray();
        char[] own = System.getenv("KEY_PASSWORD").toCharArray();
        Path folder = Path.of(arguments[1]);
        KeyStore all = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(arguments[0])) {
            all.load(in, store);
        }
        Certificate authority = all.getCertificate("ca");
        for (String type : new String[] {"PKCS12", "JKS"}) {
            String ending = type.equals("JKS") ? ".jks" : ".p12";
            KeyStore trust = empty(type);
            trust.setCertificateEntry("ca", authority);
            save(trust, folder.resolve("trust" + ending), store);
            for (String name : NAMES) {
                KeyStore keys = empty(type);
                // A PKCS12 store has one password for all; a JKS entry may have its own.
                char[] password = type.equals("JKS") ? own : store;
                keys.setKeyEntry(name, all.getKey(name, store), password, all.getCertificateChain(name));
                save(keys, folder.resolve(name + ending), store);
            }
        }
        Files.writeString(folder.resolve("ca.pem"), pem("CERTIFICATE", authority.getEncoded()));
        for (String name : NAMES) {
            StringBuilder chain = new StringBuilder();
            for (Certificate one : all.getCertificateChain(name)) {
                chain.append(pem("CERTIFICATE", one.getEncoded()));
            }
            Key key = all.getKey(name, store);
            String open = pem("PRIVATE KEY", key.getEncoded());
            String locked = pem("ENCRYPTED PRIVATE KEY", encrypted(key.getEncoded(), own));
            Files.writeString(folder.resolve(name + "-chain.pem"), chain);
            Files.writeString(folder.resolve(name + "-key.pem"), open);
            Files.writeString(folder.resolve(name + ".pem"), open + chain);
            Files.writeString(folder.resolve(name + "-encrypted.pem"), locked + chain);
        }
    }

    private static KeyStore empty(String type) throws Exception {
        KeyStore store = KeyStore.getInstance(type);
        store.load(null, null);
        return store;
    }

    private static void save(KeyStore store, Path file, char[] password) throws Exception {
        try (FileOutputStream out = new FileOutputStream(file.toFile())) {
            store.store(out, password);
        }
    }

    private static byte[] encrypted(byte[] key, char[] password) throws Exception {
        // The strongest of those that every JDK from 17 on writes correctly into a key file.
        String algorithm = "PBEWithSHA1AndDESede";
        byte[] salt = new byte[16];
        new SecureRandom().nextBytes(salt);
        Cipher cipher = Cipher.getInstance(algorithm);
        Key derived = SecretKeyFactory.getInstance(algorithm).generateSecret(new PBEKeySpec(password));
        cipher.init(Cipher.ENCRYPT_MODE, derived, new PBEParameterSpec(salt, 10_000));
        AlgorithmParameters parameters = cipher.getParameters();
        return new EncryptedPrivateKeyInfo(parameters, cipher.doFinal(key)).getEncoded();
    }

    private static String pem(String what, byte[] content) {
        String lines = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
        return "-----BEGIN " + what + "-----\n" + lines + "\n-----END " + what + "-----\n";
    }
}
