// SPDX-License-Identifier: Apache-2.0
// Uses every service that SunPKCS11 offers over a module: keys made inside, results checked by Java's own providers.
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.security.spec.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

public class Services {
    static final byte[] DATA = "some data of no particular length".getBytes(StandardCharsets.UTF_8);
    static Provider hsm;
    static KeyPair rsa, ec;
    static SecretKey aes;

    public static void main(String[] args) throws Exception {
        hsm = Security.getProvider("SunPKCS11").configure(args[0]);
        Security.addProvider(hsm);
        KeyStore store = KeyStore.getInstance("PKCS11", hsm);
        store.load(null, args[1].toCharArray());
        makeKeys();
        int used = 0, failures = 0;
        Map<String, Integer> skipped = new TreeMap<>();
        List<Provider.Service> services = new ArrayList<>(hsm.getServices());
        services.sort(Comparator.comparing(s -> s.getType() + s.getAlgorithm()));
        for (Provider.Service service : services) {
            try {
                if (use(service)) {
                    System.out.println("ok      " + service.getType() + " " + service.getAlgorithm());
                    used++;
                } else {
                    System.out.println("skipped " + service.getType() + " " + service.getAlgorithm());
                    skipped.merge(service.getType(), 1, Integer::sum);
                }
            } catch (Exception e) {
                if (javaCannot(service, e)) {
                    System.out.println("java    " + service.getType() + " " + service.getAlgorithm() + ": " + e.getMessage());
                    skipped.merge("beyond this Java", 1, Integer::sum);
                    continue;
                }
                System.out.println("FAILED  " + service.getType() + " " + service.getAlgorithm() + ": " + e + cause(e));
                failures++;
            }
        }
        System.out.println(used + " services used, " + failures + " failed, not applicable: " + skipped);
        System.exit(failures == 0 && used > 40 ? 0 : 1);
    }

    // Java 17 offers PSS with SHA-3, but its native part has no conversion for the parameters: the module is not called.
    static boolean javaCannot(Provider.Service service, Exception e) {
        return service.getAlgorithm().matches("SHA3-\\d+withRSASSA-PSS")
            && String.valueOf(e.getMessage()).contains("cannot be converted to native PKCS#11 type");
    }

    static String cause(Throwable e) {
        return e.getCause() == null ? "" : " <- " + e.getCause();
    }

    static void makeKeys() throws Exception {
        KeyPairGenerator g = KeyPairGenerator.getInstance("RSA", hsm);
        g.initialize(2048);
        rsa = g.generateKeyPair();
        g = KeyPairGenerator.getInstance("EC", hsm);
        g.initialize(new ECGenParameterSpec("secp256r1"));
        ec = g.generateKeyPair();
        KeyGenerator k = KeyGenerator.getInstance("AES", hsm);
        k.init(256);
        aes = k.generateKey();
    }

    static void check(boolean good, String what) {
        if (!good) throw new IllegalStateException(what);
    }

    static boolean use(Provider.Service s) throws Exception {
        String name = s.getAlgorithm();
        switch (s.getType()) {
        case "Signature": return signature(name);
        case "Cipher": return cipher(name);
        case "Mac": return mac(name);
        case "MessageDigest":
            byte[] ours = MessageDigest.getInstance(name, hsm).digest(DATA);
            check(Arrays.equals(ours, MessageDigest.getInstance(name, "SUN").digest(DATA)), "digest differs");
            return true;
        case "KeyPairGenerator": return keyPair(name);
        case "KeyGenerator": return keyGenerator(name);
        case "SecureRandom":
            byte[] bytes = new byte[64];
            SecureRandom.getInstance(name, hsm).nextBytes(bytes);
            check(!Arrays.equals(bytes, new byte[64]), "no randomness");
            return true;
        case "KeyAgreement": return agreement(name);
        case "KeyFactory":
            KeyFactory factory = KeyFactory.getInstance(name, hsm);
            if (name.equals("RSA")) check(factory.translateKey(rsa.getPublic()) != null, "translate");
            else if (name.equals("EC")) check(factory.translateKey(ec.getPublic()) != null, "translate");
            else return false;
            return true;
        case "SecretKeyFactory":
            if (!name.equals("AES")) return false;
            SecretKeyFactory.getInstance(name, hsm).translateKey(new SecretKeySpec(new byte[16], "AES"));
            return true;
        case "KeyStore": return name.equals("PKCS11");
        case "AlgorithmParameters": return false;
        default: return false;
        }
    }

    static boolean signature(String name) throws Exception {
        KeyPair pair = name.contains("ECDSA") ? ec : name.contains("RSA") ? rsa : null;
        if (pair == null || name.startsWith("MD")) return false;
        if (name.startsWith("SHA1with")) return oldSignature(name);
        if (name.startsWith("NONEwith")) return rawSignature(name, pair);
        Signature sign = Signature.getInstance(name, hsm);
        AlgorithmParameterSpec pss = name.equals("RSASSA-PSS")
            ? new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, 1) : null;
        if (pss != null) sign.setParameter(pss);
        sign.initSign(pair.getPrivate());
        for (byte b : DATA) sign.update(b);
        byte[] signature = sign.sign();
        Signature verify = Signature.getInstance(name, hsm);
        if (pss != null) verify.setParameter(pss);
        verify.initVerify(pair.getPublic());
        verify.update(DATA);
        check(verify.verify(signature), "does not verify");
        signature[signature.length - 1] ^= 1;
        verify.initVerify(pair.getPublic());
        verify.update(DATA);
        boolean accepted;
        try { accepted = verify.verify(signature); } catch (SignatureException e) { accepted = false; }
        check(!accepted, "a forged signature verifies");
        return true;
    }

    // SHA-1 is for verifying what others signed long ago.
    static boolean oldSignature(String name) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance(name.contains("RSA") ? "RSA" : "EC", name.contains("RSA") ? "SunRsaSign" : "SunEC");
        generator.initialize(name.contains("RSA") ? 2048 : 256);
        KeyPair pair = generator.generateKeyPair();
        boolean isPss = name.endsWith("PSS");
        Signature sign = Signature.getInstance(isPss ? "RSASSA-PSS" : name, name.contains("RSA") ? "SunRsaSign" : "SunEC");
        if (isPss) sign.setParameter(new PSSParameterSpec("SHA-1", "MGF1", MGF1ParameterSpec.SHA1, 20, 1));
        sign.initSign(pair.getPrivate());
        sign.update(DATA);
        byte[] signature = sign.sign();
        Signature verify = Signature.getInstance(name, hsm);
        verify.initVerify(pair.getPublic());
        verify.update(DATA);
        check(verify.verify(signature), "does not verify");
        sign = Signature.getInstance(name, hsm);
        boolean refused = false;
        try { sign.initSign(name.contains("RSA") ? rsa.getPrivate() : ec.getPrivate()); } catch (ProviderException e) { refused = true; }
        check(refused, "signs with SHA-1");
        return true;
    }

    static boolean rawSignature(String name, KeyPair pair) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(DATA);
        Signature sign = Signature.getInstance(name, hsm);
        sign.initSign(pair.getPrivate());
        sign.update(digest);
        byte[] signature = sign.sign();
        Signature verify = Signature.getInstance(name, hsm);
        verify.initVerify(pair.getPublic());
        verify.update(digest);
        check(verify.verify(signature), "does not verify");
        return true;
    }

    static boolean cipher(String name) throws Exception {
        Cipher cipher = Cipher.getInstance(name, hsm);
        boolean isRsa = name.startsWith("RSA");
        if (!isRsa && !name.startsWith("AES")) return false;
        SecretKey key = aes;
        if (name.startsWith("AES_128")) {
            KeyGenerator k = KeyGenerator.getInstance("AES", hsm);
            k.init(128);
            key = k.generateKey();
        } else if (name.startsWith("AES_192")) {
            KeyGenerator k = KeyGenerator.getInstance("AES", hsm);
            k.init(192);
            key = k.generateKey();
        }
        boolean isWhole = name.toUpperCase(Locale.ROOT).contains("NOPADDING") && !name.contains("GCM") && !name.contains("CTR");
        byte[] data = isWhole && !isRsa ? new byte[64] : DATA;
        if (isRsa && name.contains("NoPadding")) { data = new byte[256]; data[255] = 42; }
        cipher.init(Cipher.ENCRYPT_MODE, isRsa ? rsa.getPublic() : key);
        byte[] encrypted = cipher.doFinal(data);
        AlgorithmParameters parameters = cipher.getParameters();
        cipher = Cipher.getInstance(name, hsm);
        cipher.init(Cipher.DECRYPT_MODE, isRsa ? rsa.getPrivate() : key, parameters);
        check(Arrays.equals(data, cipher.doFinal(encrypted)), "decrypts to something else");
        return true;
    }

    static boolean mac(String name) throws Exception {
        if (name.startsWith("SslMac") || name.contains("PBE")) return false;
        Mac mac = Mac.getInstance(name, hsm);
        SecretKey key = new SecretKeySpec(new byte[64], name);
        mac.init(key);
        byte[] ours = mac.doFinal(DATA);
        Mac other = Mac.getInstance(name, "SunJCE");
        other.init(key);
        check(Arrays.equals(ours, other.doFinal(DATA)), "MAC differs");
        return true;
    }

    static boolean keyPair(String name) throws Exception {
        if (!name.equals("RSA") && !name.equals("EC")) return false;
        KeyPairGenerator generator = KeyPairGenerator.getInstance(name, hsm);
        if (name.equals("RSA")) generator.initialize(3072);
        else generator.initialize(new ECGenParameterSpec("secp384r1"));
        check(generator.generateKeyPair().getPrivate() != null, "no key");
        return true;
    }

    static boolean keyGenerator(String name) throws Exception {
        if (name.startsWith("SunTls") || name.contains("DES") || name.equals("ARCFOUR") || name.equals("Blowfish")) return false;
        KeyGenerator generator = KeyGenerator.getInstance(name, hsm);
        if (name.equals("AES")) generator.init(128);
        check(generator.generateKey() != null, "no key");
        return true;
    }

    static boolean agreement(String name) throws Exception {
        if (!name.equals("ECDH")) return false;
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "SunEC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair peer = generator.generateKeyPair();
        KeyAgreement ours = KeyAgreement.getInstance(name, hsm);
        ours.init(ec.getPrivate());
        ours.doPhase(peer.getPublic(), true);
        KeyAgreement theirs = KeyAgreement.getInstance("ECDH", "SunEC");
        theirs.init(peer.getPrivate());
        theirs.doPhase(KeyFactory.getInstance("EC", "SunEC").generatePublic(new X509EncodedKeySpec(ec.getPublic().getEncoded())), true);
        check(Arrays.equals(ours.generateSecret(), theirs.generateSecret()), "secrets differ");
        return true;
    }
}
