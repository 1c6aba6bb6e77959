package example;

public class Hello {
    public static void main(String[] args) {
        String arch = System.getProperty("os.arch");
        System.out.println("Hello world! Running on linux/" + (arch.equals("aarch64") ? "arm64" : arch));
    }
}
