namespace Hotpatch.Packaging;

/// <summary>Bounds that every reader holds to before it believes a length a file states.</summary>
public static class PackageLimits
{
    public const int PackageBytesMax = 16 << 20;
    public const int ManifestBytesMax = 4 << 20;
    public const int SignaturesBytesMax = 64 << 10;
    public const int SignatureBytesMax = 256;       // a DER signature of P-256 has at most 72 (RFC 3279, 2.2.3)
    public const int SignaturesMax = 16;
    public const int TargetsMax = 256;
    public const int FunctionsMax = 4096;
    public const int SymbolsMax = 65536;
    public const int ObjectsMax = 1024;
    public const int ContainedFixesMax = 1024;
    public const int KernelModuleNameMax = 55;      // linux/moduleparam.h: MODULE_NAME_LEN on 64 bits, less its end
    public const int KernelSymbolNameMax = 511;     // linux/kallsyms.h: KSYM_NAME_LEN, less its end
    public const int ProbesMax = 16;
    public const int CommandProbeMillisecondsMax = 5_000;
    public const int RestartsMax = 32;
    public const int FunctionBytesMax = 1 << 20;
}
