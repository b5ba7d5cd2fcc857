export type TransformKind = 'encr' | 'prf' | 'integ' | 'ke' | 'esn';
